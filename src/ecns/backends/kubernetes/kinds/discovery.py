"""EndpointSlices: the addresses behind a Service.

Source: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
"""

from __future__ import annotations

from msgspec import field

from ecns.backends.kubernetes.kinds.meta import Kind, Part, Resource


class EndpointConditions(Part):
    """Whether an endpoint may get requests; not said counts as yes."""

    ready: bool | None = None


class Endpoint(Part):
    """One that answers for a Service; its addresses are of one and the same."""

    addresses: list[str] = field(default_factory=list)
    conditions: EndpointConditions = field(default_factory=EndpointConditions)


class EndpointSlice(Resource):
    """Some of a Service's endpoints, all of one address type."""

    address_type: str = ""
    endpoints: list[Endpoint] | None = None


ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", EndpointSlice)
