"""Chapter 1.16: Kubernetes objects as YAML."""
