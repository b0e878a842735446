"""Stand-ins for the systems behind ECNS, each a process of its own on a loopback port.

They speak the real wire protocols, import nothing of the gateway, and are started by `ecns.cli` alone.
"""
