"""The Kubernetes kinds ECNS works with: typed Structs and their places in the API."""
