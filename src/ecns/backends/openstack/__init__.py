"""OpenStack services, one small module each."""
