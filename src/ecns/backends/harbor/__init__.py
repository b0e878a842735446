"""Harbor 2.x: its API (projects, repositories, robot accounts) and the OCI registry behind it."""
