"""The nodes of the embedded cluster: a scheduler, kubelets, and simulated processes.

No program runs. A container's command is interpreted by a small shell (`shell`, `programs`) in simulated
time, so that `sh -c "echo hi; sleep 2; exit 3"` logs, waits and ends as it says; an image without a command
is taken for a server that runs until it is told to stop, unless its name is that of a plain system image.

What a container does can be told by annotations on the pod (or its template):

    embedded.ecns.io/behaviour.<container>: <behaviour>

with one of these behaviours:

- `crash`: it ends with exit code 1 at once, again and again;
- `exit:N` or `exit:N@S`: it ends with exit code N, after S seconds;
- `never-ready`: it runs, and its readiness never comes;
- `pull-fail`: its image cannot be pulled (ErrImagePull, then ImagePullBackOff);
- `oom`: it is killed for want of memory (OOMKilled, 137);
- `liveness-fail`: its liveness fails every ten seconds, so that it is restarted.

An image whose registry ends in `.invalid`, or whose name contains `does-not-exist` or `no-such`, cannot be
pulled either; one that is no image reference is InvalidImageName. A process that does not act on SIGTERM is
killed after two seconds, or the grace period if that is shorter.
"""
