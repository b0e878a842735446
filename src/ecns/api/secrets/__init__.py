"""Chapter 1.6: secrets."""
