"""Chapter 1.4: configuration."""
