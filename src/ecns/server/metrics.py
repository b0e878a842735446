"""Prometheus metrics of the gateway, served at `/metrics`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

REGISTRY = CollectorRegistry()

_requests = Counter("ecns_requests", "Requests answered", ["operation", "status"], registry=REGISTRY)
_seconds = Histogram(
    "ecns_request_seconds",
    "Seconds from a request's arrival to the end of its answer",
    ["operation"],
    registry=REGISTRY,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

audit_dropped = Counter(
    "ecns_audit_dropped", "Lines of the audit log that could not be written", registry=REGISTRY
)


def observe(operation: str, status: int, seconds: float) -> None:
    """Count one answer; status 0 is a client that left before there was one."""
    _requests.labels(operation, str(status)).inc()
    _seconds.labels(operation).observe(seconds)


def page() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)
