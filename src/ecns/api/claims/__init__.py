"""Chapter 1.15: claims of storage (PVC)."""
