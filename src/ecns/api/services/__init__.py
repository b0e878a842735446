"""Chapter 1.19: services."""
