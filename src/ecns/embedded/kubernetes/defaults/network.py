"""Defaults of network, RBAC and API-extension kinds.

Source: the answers of Kubernetes 1.36 to minimal objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object

SESSION_SECONDS = 10800
_RBAC = "rbac.authorization.k8s.io"
_LIMITS = frozenset({"maximum", "minimum", "multipleOf"})
"""Of a schema, what Kubernetes keeps as a float."""
_FREE = frozenset({"default", "enum", "example"})
"""Of a schema, what holds any JSON."""


def service(obj: Object) -> None:
    """Defaults of a Service; addresses and ports are allocated elsewhere."""
    spec = obj["spec"]
    if spec.setdefault("sessionAffinity", "None") == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        client.setdefault("timeoutSeconds", SESSION_SECONDS)
    kind = spec.setdefault("type", "ClusterIP")
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in {0, "", None}:
            port["targetPort"] = port["port"]
    outside = kind in {"NodePort", "LoadBalancer"} or (kind == "ClusterIP" and spec.get("externalIPs"))
    if outside:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind in {"ClusterIP", "NodePort", "LoadBalancer"}:
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for entry in obj["status"]["loadBalancer"].get("ingress", ()):
            if entry.get("ip"):
                entry.setdefault("ipMode", "VIP")


def endpoints(obj: Object) -> None:
    """Defaults of Endpoints."""
    for subset in obj.get("subsets", ()):
        for port in subset.get("ports", ()):
            port.setdefault("protocol", "TCP")


def endpoint_slice(obj: Object) -> None:
    """Defaults of an EndpointSlice."""
    for port in obj.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def ingress_class(obj: Object) -> None:
    """Defaults of an IngressClass."""
    parameters = obj["spec"].get("parameters")
    if parameters:
        parameters.setdefault("scope", "Cluster")


def network_policy(obj: Object) -> None:
    """Defaults of a NetworkPolicy."""
    spec = obj["spec"]
    for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
        for port in rule.get("ports", ()):
            port.setdefault("protocol", "TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def role_binding(obj: Object) -> None:
    """Defaults of a RoleBinding or ClusterRoleBinding: the API groups."""
    obj["roleRef"]["apiGroup"] = obj["roleRef"].get("apiGroup") or _RBAC
    for subject in obj.get("subjects", ()):
        if subject.get("kind") in {"User", "Group"}:
            subject.setdefault("apiGroup", _RBAC)


def priority_class(obj: Object) -> None:
    """Defaults of a PriorityClass."""
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


def custom_resource_definition(obj: Object) -> None:
    """Defaults of a CustomResourceDefinition."""
    spec = obj["spec"]
    names = spec["names"]
    if names.get("kind"):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", names["kind"] + "List")
    conversion = spec.setdefault("conversion", {})
    conversion["strategy"] = conversion.get("strategy") or "None"
    client = (conversion.get("webhook") or {}).get("clientConfig", {})
    if "service" in client:
        client["service"].setdefault("port", 443)
    for version in spec.get("versions") or ():
        _whole_numbers(version.get("schema"))


def _whole_numbers(schema: Any) -> None:
    """Lets limits be written as Kubernetes writes its floats: `1.0` as 1."""
    if isinstance(schema, list):
        for inner in schema:
            _whole_numbers(inner)
    if isinstance(schema, dict):
        for key, inner in schema.items():
            if key in _LIMITS and isinstance(inner, float) and inner.is_integer():
                schema[key] = int(inner)
            elif key not in _FREE:
                _whole_numbers(inner)


def webhook_configuration(obj: Object) -> None:
    """Defaults of a ValidatingWebhookConfiguration or MutatingWebhookConfiguration."""
    for hook in obj.get("webhooks", ()):
        hook.setdefault("failurePolicy", "Fail")
        hook.setdefault("matchPolicy", "Equivalent")
        hook.setdefault("namespaceSelector", {})
        hook.setdefault("objectSelector", {})
        hook.setdefault("timeoutSeconds", 10)
        if obj.get("kind") == "MutatingWebhookConfiguration":
            hook.setdefault("reinvocationPolicy", "Never")
        if "service" in hook["clientConfig"]:
            hook["clientConfig"]["service"].setdefault("port", 443)
        for rule in hook.get("rules", ()):
            rule.setdefault("scope", "*")
