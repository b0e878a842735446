"""Chapter 1.14: pods and claims of a cluster by state."""
