"""A Kubernetes API server with its controllers, scheduler and kubelets, simulated in one process.

What it does, it does as Kubernetes 1.36 does; what it does not do is refused with a clear Status.
Source: https://kubernetes.io/docs/reference/using-api/ and the kinds' own pages below it.
"""
