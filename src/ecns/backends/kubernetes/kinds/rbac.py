"""Role bindings, and the accounts that pods run as.

Sources: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/role-binding-v1/ and
https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/service-account-v1/
"""

from __future__ import annotations

from msgspec import field

from ecns.backends.kubernetes.kinds.core import LocalObjectReference
from ecns.backends.kubernetes.kinds.meta import Kind, Part, Resource


class RoleRef(Part):
    """The role that is given."""

    api_group: str = ""
    kind: str = ""
    name: str = ""


class Subject(Part):
    """Who is given it."""

    api_group: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""


class RoleBinding(Resource):
    """Rights of someone in a namespace."""

    role_ref: RoleRef = field(default_factory=RoleRef)
    subjects: list[Subject] | None = None


class ServiceAccount(Resource):
    """An account that pods run as; those that name no `imagePullSecrets` get its."""

    image_pull_secrets: list[LocalObjectReference] | None = None


ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", RoleBinding)
SERVICE_ACCOUNT = Kind("", "v1", "serviceaccounts", "ServiceAccount", ServiceAccount)
