"""Chapter 1.10: Jobs."""
