"""Chapter 1.18: ingresses."""
