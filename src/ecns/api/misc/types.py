"""The reference's types of chapter 1.13, and the capabilities that it leaves to the system.

Source: https://man7.org/linux/man-pages/man7/capabilities.7.html; what containers get when they ask for
nothing: https://github.com/containerd/containerd/blob/main/pkg/oci/spec.go.
"""

from __future__ import annotations

from msgspec import Struct

_DEFAULT = """
CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL
AUDIT_WRITE
"""
_ALL = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""

DEFAULT_CAPABILITIES = [f"CAP_{name}" for name in _DEFAULT.split()]
"""What a container runtime gives a container that asks for nothing."""
ALL_CAPABILITIES = [f"CAP_{name}" for name in _ALL.split()]
"""All that Linux names, by number."""


class Capabilities(Struct):
    """The answer of "kernel capabilities"."""

    capabilities: list[str]


class Existence(Struct):
    """The answer of the uniqueness check."""

    existence: bool
