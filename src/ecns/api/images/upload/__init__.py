"""Images that are uploaded as files: what `docker save`, `podman save` and OCI tools write.

A file goes through here once, as it comes: `intake` takes the form and the compression off it, `tar` takes
it apart, `spool` keeps what is in it, packing layers meanwhile (`packing`). Only when all of it is here and
right (`archives`) is anything sent to the registry (`pushing`).
"""
