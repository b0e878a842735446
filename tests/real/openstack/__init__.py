"""Real OpenStack services on one machine: for `make cloud` and for the tests that want the real thing."""
