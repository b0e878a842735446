"""What the ways to all upstreams have in common."""
