"""Chapter 1.21: workloads (Deployments, StatefulSets and DaemonSets) and all that belongs to them."""
