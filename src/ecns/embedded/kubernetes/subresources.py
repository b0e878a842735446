"""Subresources that speak another kind than their parent: scale (see `scaling`), eviction, binding, token.

Source: https://kubernetes.io/docs/reference/kubernetes-api/ (Scale, Eviction, Binding, TokenRequest)
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from ecns.embedded.kubernetes import bodies, clock, scaling, schemas
from ecns.embedded.kubernetes.discovery import unknown_resource
from ecns.embedded.kubernetes.errors import ApiError, Cause, Object, bad_request, conflict, invalid, not_found
from ecns.embedded.kubernetes.metadata import clone

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.auth import Authenticator
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.options import WriteOptions
    from ecns.embedded.kubernetes.resources import Resource
    from ecns.embedded.kubernetes.rest import Call

_OWN = frozenset({"status", "finalize", "resize", "ephemeralcontainers"})
_SHORTEST_TOKEN, _DEFAULT_TOKEN, _LONGEST_TOKEN = 600, 3600, 1 << 32
_UNMET = "Cannot evict pod as it would violate the pod's disruption budget."


class Result(msgspec.Struct):
    """An object to answer."""

    obj: Object
    status: int = 200
    warnings: list[str] = []
    wrote: bool = True


def is_other_kind(name: str) -> bool:
    """Whether a subresource is not just a part of its parent."""
    return name not in _OWN


def answer(
    cluster: Cluster, authenticator: Authenticator, resource: Resource, call: Call, asked: WriteOptions
) -> Result:
    """Answers a request on such a subresource.

    Raises:
        ApiError: as Kubernetes would answer.

    """
    target = call.target
    name, sub = target.name, target.subresource
    namespace = target.namespace if resource.namespaced else ""
    if sub in _OWN:
        return Result(cluster.get(resource.name, name, namespace), wrote=False)
    if sub == "scale":
        if target.verb == "get":
            shown = scaling.scale_of(resource, cluster.get(resource.name, name, namespace), target.version)
            return Result(shown, wrote=False)
        sent = None if target.verb == "patch" else _decoded(resource, call, sub)
        return Result(scaling.change(cluster, resource, call, asked, namespace=namespace, sent=sent))
    obj = _decoded(resource, call, sub)
    if sub == "eviction":
        return evict(cluster, namespace, name, obj, dry_run=asked.dry_run, user=call.user)
    if sub == "binding":
        bind(cluster, namespace, name, obj, dry_run=asked.dry_run)
        return Result(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
        )
    if sub == "token":
        return _token(cluster, authenticator, namespace, name, obj)
    raise unknown_resource()


def _decoded(resource: Resource, call: Call, name: str) -> Object:
    sub = resource.subresource(name)
    if sub is None:
        raise unknown_resource()
    obj: Object = bodies.decode(call.body, call.headers.get("Content-Type", ""), sub.kind).value
    kind, sent = obj.get("kind") or sub.kind, str(obj.get("apiVersion", "")).rpartition("/")[2]
    if kind != sub.kind:
        raise bad_request(
            f'{kind} in version "{sent}" cannot be handled as a {sub.kind}: '
            f"converting ({sent}.{kind}) to ({sub.group.partition('.')[0] or 'core'}.{sub.kind}): "
            "unknown conversion"
        )
    version = f"{sub.group}/{sub.version}" if sub.version and sub.group else "v1"
    obj["kind"], obj["apiVersion"] = kind, obj.get("apiVersion") or version
    found = schemas.of_kind(obj["apiVersion"], kind)
    if found is not None:
        try:
            found.decode(obj, [])
        except schemas.DecodeError as error:
            raise schemas.cannot_handle(obj, sub.kind, str(error)) from None
    return obj


# eviction and binding


def evict(
    cluster: Cluster, namespace: str, name: str, eviction: Object, *, user: Any, dry_run: bool = False
) -> Result:
    """Deletes a pod unless a PodDisruptionBudget stands against it.

    Raises:
        ApiError: 404, 429 when the budget is used up, 500 when there are several budgets.

    """
    if (eviction.get("metadata") or {}).get("name") != name:
        raise bad_request("name in URL does not match name in Eviction object")
    pod = cluster.get("pods", name, namespace)
    phase = pod.get("status", {}).get("phase")
    finished = phase in {"Succeeded", "Failed", "Pending"} or pod["metadata"].get("deletionTimestamp")
    wanted = eviction.get("deleteOptions") or {}
    dry_run = dry_run or bool(wanted.get("dryRun"))
    if not finished:
        _use_budget(cluster, pod, dry_run=dry_run)
    if not dry_run:
        _say_evicted(cluster, pod)
    cluster.delete(
        "pods",
        name,
        namespace,
        propagation=wanted.get("propagationPolicy"),
        grace_seconds=wanted.get("gracePeriodSeconds"),
        preconditions=wanted.get("preconditions"),
        user=user,
        dry_run=dry_run,
    )
    return Result(
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
    )


def _say_evicted(cluster: Cluster, pod: Object) -> None:
    status = pod.get("status") or {}
    others = [item for item in status.get("conditions") or () if item["type"] != "DisruptionTarget"]
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": clock.stamp(cluster.now()),
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    cluster.update_status("pods", {**pod, "status": {**status, "conditions": [*others, condition]}})


def _use_budget(cluster: Cluster, pod: Object, *, dry_run: bool) -> None:
    from ecns.embedded.kubernetes import selectors  # noqa: PLC0415  only evictions need it

    metadata = pod["metadata"]
    budgets = [
        budget
        for budget in cluster.list("poddisruptionbudgets.policy", metadata["namespace"])
        if selectors.matches(
            selectors.of_object(budget["spec"].get("selector")), metadata.get("labels") or {}
        )
    ]
    if not budgets:
        return
    if len(budgets) > 1:
        raise ApiError(
            500,
            "",
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does "
            "not support.",
        )
    budget = budgets[0]
    status = budget.get("status") or {}
    conditions = {item["type"]: item["status"] for item in pod.get("status", {}).get("conditions") or ()}
    healthy = conditions.get("Ready") == "True"
    allowed = status.get("disruptionsAllowed", 0)
    if not healthy:
        policy = budget["spec"].get("unhealthyPodEvictionPolicy", "IfHealthyBudget")
        if policy == "AlwaysAllow" or status.get("currentHealthy", 0) >= status.get("desiredHealthy", 0) > 0:
            return
    name = budget["metadata"]["name"]
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        message = f"The disruption budget {name} is still being processed by the server."
        raise _too_many(message)
    if allowed <= 0:
        needed, have = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        raise _too_many(f"The disruption budget {name} needs {needed} healthy pods and has {have} currently")
    disrupted = {**(status.get("disruptedPods") or {}), metadata["name"]: clock.stamp(cluster.now())}
    new = {**budget, "status": {**status, "disruptionsAllowed": allowed - 1, "disruptedPods": disrupted}}
    if not dry_run:
        cluster.update_status("poddisruptionbudgets.policy", new)


def _too_many(message: str) -> ApiError:
    details = {"causes": [{"reason": "DisruptionBudget", "message": message}]}
    return ApiError(429, "TooManyRequests", _UNMET, details=details)


def bind(cluster: Cluster, namespace: str, name: str, binding: Object, *, dry_run: bool = False) -> None:
    """Assigns a pod to a node, as a scheduler does.

    Raises:
        ApiError: 404, 400 for a target that is no node, 409 when the pod has a node already.

    """
    target = binding.get("target") or {}
    if target.get("kind", "Node") not in {"", "Node"} or not target.get("name"):
        field = "target.name" if not target.get("name") else "target.kind"
        cause = Cause("FieldValueRequired", "Required value", field)
        if field == "target.kind":
            cause = Cause(
                "FieldValueNotSupported",
                f'Unsupported value: "{target["kind"]}": supported values: "Node", "<empty>"',
                field,
            )
        raise invalid("Binding", "", name, [cause])
    record = cluster.store.get("pods", namespace, name)
    if record is None:
        raise not_found("pods", name)
    pod = clone(record.obj)
    if pod["metadata"].get("deletionTimestamp"):
        raise conflict("pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host")
    if pod["spec"].get("nodeName"):
        raise conflict(
            "pods/binding", name, f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"'
        )
    cluster.assign(
        pod, target["name"], (binding.get("metadata") or {}).get("annotations") or {}, dry_run=dry_run
    )


# token


def _token(cluster: Cluster, authenticator: Authenticator, namespace: str, name: str, obj: Object) -> Result:
    account = cluster.get("serviceaccounts", name, namespace)
    spec = obj.get("spec") or {}
    seconds = spec.get("expirationSeconds")
    seconds = _DEFAULT_TOKEN if seconds is None else seconds
    causes = []
    if seconds < _SHORTEST_TOKEN:
        why = f"Invalid value: {seconds}: may not specify a duration less than 10 minutes"
        causes.append(Cause("FieldValueInvalid", why, "spec.expirationSeconds"))
    if seconds > _LONGEST_TOKEN:
        why = f"Invalid value: {seconds}: may not specify a duration larger than 2^32 seconds"
        causes.append(Cause("FieldValueInvalid", why, "spec.expirationSeconds"))
    if causes:
        raise invalid("TokenRequest", "authentication.k8s.io", "", causes)
    pod = None
    bound = spec.get("boundObjectRef")
    if bound and bound.get("kind") == "Pod":
        pod = cluster.get("pods", bound.get("name", ""), namespace)
    audiences = spec.get("audiences") or []
    token, _ = authenticator.issue(account, seconds, audiences, pod)
    metadata = account["metadata"]
    shown = {
        "name": name,
        "namespace": namespace,
        "uid": metadata["uid"],
        "creationTimestamp": metadata["creationTimestamp"],
    }
    answered: Object = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": shown,
        "spec": {
            "audiences": audiences or [authenticator.issuer],
            "expirationSeconds": seconds,
            "boundObjectRef": bound,
        },
        "status": {
            "token": token,
            "expirationTimestamp": clock.stamp(cluster.now() + timedelta(seconds=seconds)),
        },
    }
    return Result(answered, 201, wrote=False)
