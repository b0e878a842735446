"""Objects that are only answered: who am I, may I, what may I, whose token is this.

Source: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock, rbac
from ecns.embedded.kubernetes.auth import User
from ecns.embedded.kubernetes.errors import Cause, Object, bad_request, invalid

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.auth import Authenticator
    from ecns.embedded.kubernetes.cluster import Cluster
    from ecns.embedded.kubernetes.resources import Resource


def answer(  # noqa: PLR0917  each is a fact of the request
    cluster: Cluster,
    authenticator: Authenticator,
    resource: Resource,
    user: User,
    namespace: str,
    obj: Object,
) -> Object:
    """The review with its status.

    Raises:
        ApiError: 400 or 422 for a review that asks nothing.

    """
    kind, api_version = resource.kind, resource.api_version()
    if kind == "SelfSubjectReview":
        metadata = {"creationTimestamp": clock.stamp(cluster.now())}
        return {
            "kind": kind,
            "apiVersion": api_version,
            "metadata": metadata,
            "status": {"userInfo": user.info()},
        }
    spec = obj.get("spec") or {}
    metadata = {"namespace": namespace} if kind == "LocalSubjectAccessReview" else {}
    if kind == "TokenReview":
        status = _token(authenticator, spec)
    elif kind == "SelfSubjectRulesReview":
        if not spec.get("namespace"):
            raise bad_request("no namespace on request")
        status = rbac.rules_status(cluster.rbac, user, spec["namespace"])
        spec = {}
    else:
        _check(kind, resource.group, spec, namespace)
        asker = user
        if kind != "SelfSubjectAccessReview":
            asker = User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""))
        status = _access(cluster, asker, spec)
    return {"kind": kind, "apiVersion": api_version, "metadata": metadata, "spec": spec, "status": status}


def _token(authenticator: Authenticator, spec: Object) -> Object:
    if not spec.get("token"):
        raise bad_request("token is required for TokenReview in authentication")
    audiences = spec.get("audiences") or None
    user = authenticator.user_of(spec["token"], audiences)
    if user is None:
        return {"user": {}, "error": "invalid bearer token"}
    return {"authenticated": True, "user": user.info(), "audiences": audiences or [authenticator.issuer]}


def _check(kind: str, group: str, spec: Object, namespace: str) -> None:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    causes = []
    if resource is None and path is None:
        why = (
            "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes "
            "must be specified"
        )
        causes.append(Cause("FieldValueInvalid", why, "spec.resourceAttributes"))
    if resource is not None and path is not None:
        why = "Invalid value: null: cannot be specified in combination with resourceAttributes"
        causes.append(Cause("FieldValueInvalid", why, "spec.nonResourceAttributes"))
    if kind != "SelfSubjectAccessReview" and not spec.get("user") and not spec.get("groups"):
        why = 'Invalid value: "": at least one of user or group must be specified'
        causes.append(Cause("FieldValueInvalid", why, "spec.user"))
    if kind == "LocalSubjectAccessReview" and resource is not None and resource.get("namespace") != namespace:
        why = f'Invalid value: "{resource.get("namespace", "")}": must match metadata.namespace'
        causes.append(Cause("FieldValueInvalid", why, "spec.resourceAttributes.namespace"))
    if causes:
        raise invalid("", group, "", causes)


def _access(cluster: Cluster, user: User, spec: Object) -> Object:
    asked = spec.get("resourceAttributes")
    if asked is not None:
        attributes = rbac.Attributes(
            verb=asked.get("verb", ""),
            group=asked.get("group", ""),
            resource=asked.get("resource", ""),
            subresource=asked.get("subresource", ""),
            namespace=asked.get("namespace", ""),
            name=asked.get("name", ""),
        )
    else:
        path = spec["nonResourceAttributes"]
        attributes = rbac.Attributes(verb=path.get("verb", ""), path=path.get("path", ""))
    allowed, reason = cluster.rbac.decide(user, attributes)
    status: Object = {"allowed": allowed}
    if reason:
        status["reason"] = reason
    return status
