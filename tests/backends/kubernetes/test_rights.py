"""What ECNS asks a cluster for is what `deploy/rbac.yaml` gives it, and what it reads is what it asks for."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import yaml

from ecns.backends.kubernetes import kinds
from ecns.backends.kubernetes.kinds.extensions import APPLICATION
from ecns.backends.kubernetes.kinds.meta import Kind
from ecns.backends.kubernetes.kinds.rbac import ROLE_BINDING
from ecns.backends.kubernetes.rights import ALWAYS, CHANGES, IMPERSONATION, Right, needed

RBAC = Path(__file__).parents[3] / "deploy" / "rbac.yaml"


def given() -> dict[str, list[Right]]:
    roles: dict[str, list[Right]] = {}
    for document in yaml.safe_load_all(RBAC.read_text()):
        if document["kind"] == "ClusterRole":
            roles[document["metadata"]["name"]] = [
                Right(group, resource, verb, name)
                for rule in document["rules"]
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
                for name in rule.get("resourceNames", [""])
            ]
    return roles


def test_the_manifest_gives_what_the_check_asks_for_and_nothing_else() -> None:
    roles = given()
    assert sorted(roles["ecns"]) == sorted(ALWAYS)
    assert sorted(roles["ecns-impersonation"]) == sorted(IMPERSONATION)
    assert sorted(roles["ecns-changes"]) == sorted(CHANGES)


def test_all_kinds_that_are_read_are_asked_for() -> None:
    readable = {(right.group, right.resource) for right in ALWAYS if right.verb == "watch"}
    for module in pkgutil.iter_modules(kinds.__path__):
        found: dict[str, Any] = vars(importlib.import_module(f"{kinds.__name__}.{module.name}"))
        for kind in found.values():
            if isinstance(kind, Kind) and kind not in {ROLE_BINDING, APPLICATION}:
                assert (kind.group, kind.plural) in readable


def test_who_cannot_act_as_the_caller_needs_the_rights_to_change() -> None:
    assert Right("", "users", "impersonate") in needed(impersonate=True, keystone_token=False)
    assert needed(impersonate=False, keystone_token=True) == ALWAYS
    assert Right("apps", "deployments", "create") in needed(impersonate=False, keystone_token=False)
    assert str(Right("rbac.authorization.k8s.io", "clusterroles", "bind", "edit")) == (
        "bind clusterroles.rbac.authorization.k8s.io edit"
    )
