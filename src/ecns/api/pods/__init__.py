"""Chapter 1.16: pods."""
