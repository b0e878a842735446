"""What may be done as YAML is never more than what the other chapters allow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ecns.api.raw.cluster import Reach
from ecns.api.raw.rights import Rights
from ecns.backends.kubernetes.client import Impersonation
from ecns.backends.kubernetes.kinds import BY_NAME
from ecns.backends.kubernetes.kinds.meta import JsonObject, Kind
from ecns.errors import ForbiddenError
from ecns.identity.policy import OPERATIONS, Policy
from tests.identity.test_policy import WHO

if TYPE_CHECKING:
    from pathlib import Path

ROLE_BINDING = Kind[JsonObject]("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", dict)
CLUSTER_ROLE = Kind[JsonObject](
    "rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", dict, namespaced=False
)


def whole(kind: str) -> Kind[JsonObject]:
    return BY_NAME[kind].whole


def place(actor: Impersonation | None) -> Any:
    return cast("Any", SimpleNamespace(actor=actor, cluster=SimpleNamespace(name="east")))


def test_a_chapter_that_is_closed_is_not_walked_around(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text('"ecns:secret.create": "rule:project_admin"\n"ecns:workload.show": "!"\n')
    rights = Rights(Policy(file), WHO["member"])
    with pytest.raises(ForbiddenError, match=r"secret\.create"):
        rights.check("create", whole("Secret"))
    with pytest.raises(ForbiddenError, match=r"workload\.show"):
        rights.check("show", whole("Deployment"))
    rights.check("update", whole("Secret"))
    Rights(Policy(file), WHO["manager"]).check("create", whole("Secret"))


@pytest.mark.parametrize("kind", ["Namespace", "Node", "CustomResourceDefinition", "IngressClass"])
def test_what_belongs_to_no_namespace_is_for_cloud_administrators(kind: str) -> None:
    for who in ("reader", "member", "manager"):
        rights = Rights(Policy(), WHO[who])
        for doing in ("show", "create", "update"):
            with pytest.raises(ForbiddenError):
                rights.check(cast("Any", doing), whole(kind))
    Rights(Policy(), WHO["admin"]).check("update", whole(kind))


def test_classes_and_volumes_are_shown() -> None:
    for kind in ("StorageClass", "PersistentVolume"):
        Rights(Policy(), WHO["reader"]).check("show", whole(kind))
        with pytest.raises(ForbiddenError):
            Rights(Policy(), WHO["manager"]).check("update", whole(kind))


def test_where_ecns_acts_itself_only_what_it_changes_anyway() -> None:
    """Its own rights are more than those of any caller."""
    rights = Rights(Policy(), WHO["admin"])
    acting = Impersonation(user="ecns:user:u", groups=())
    for kind in (ROLE_BINDING, CLUSTER_ROLE, whole("Namespace"), whole("ResourceQuota")):
        rights.check("create", kind, place(acting))
        with pytest.raises(ForbiddenError, match="impersonate = false"):
            rights.check("create", kind, place(None))
    for name in (
        "Deployment",
        "Secret",
        "Service",
        "Ingress",
        "PersistentVolumeClaim",
        "Application",
        "StorageClass",
    ):
        rights.check("create", whole(name), place(None))


def test_values_of_secrets() -> None:
    assert not Rights(Policy(), WHO["reader"]).sees_values()
    assert Rights(Policy(), WHO["member"]).sees_values()


def test_every_rule_is_one_of_the_table() -> None:
    from ecns.api.raw.rights import _CHAPTERS  # noqa: PLC0415  only here

    assert {rule for rules in _CHAPTERS.values() for rule in rules} <= set(OPERATIONS)


async def test_ecns_reads_in_its_own_name_what_its_role_lets_it() -> None:
    """Everything else is read as the caller: a RoleBinding is no chapter's, and ECNS may not get it."""
    acting = Impersonation(user="ecns:user:u", groups=())

    async def reading(_place: Any) -> None:
        pass

    reach = Reach(
        cast("Any", SimpleNamespace(reading=reading)),
        cast("Any", None),
        cast("Any", None),
        Rights(Policy(), WHO["reader"]),
    )
    for kind in (ROLE_BINDING, CLUSTER_ROLE):
        assert await reach.reader(cast("Any", kind), place(acting)) == acting
    for name in ("Deployment", "Secret", "ServiceAccount"):
        assert await reach.reader(whole(name), place(acting)) is None
