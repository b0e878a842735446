"""What OpenStack alone tells: Kubernetes versions (1.13), overview (1.14), volume types (1.20)."""
