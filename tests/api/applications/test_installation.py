"""A cluster that keeps no applications yet, and what ECNS may do there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml

from ecns.api.applications import installation
from ecns.api.applications.types import CreateApplication
from ecns.backends.kubernetes.client import Impersonation
from ecns.errors import NotSupportedError, UpstreamError
from tests.api.applications.bodies import application
from tests.api.applications.conftest import SPACE, Direct
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecns.api.applications.service import Applications
    from tests.gateway import Gateway

DEFINITION = "applications.app.k8s.io"
ROLES = ("ecns-applications", "ecns-applications-view")
BODY = msgspec.convert(application("shop"), CreateApplication)


def rule(verbs: str, group: str, resources: str) -> dict[str, Any]:
    """A rule of a ClusterRole."""
    return {"apiGroups": [group], "resources": resources.split(","), "verbs": verbs.split(",")}


USES = rule("get,list,watch,create", "app.k8s.io", "applications")
IMPERSONATES = rule("impersonate", "", "users,groups")


@pytest.fixture(autouse=True)
def nothing(gateway: Gateway, space: str) -> None:
    """The cluster has not heard of applications, and this process not of the cluster."""
    assert space == SPACE
    gateway.kubectl("delete", "crd", DEFINITION, "--ignore-not-found")
    gateway.kubectl("delete", "clusterrole", *ROLES, "--ignore-not-found")
    eventually(lambda: DEFINITION not in gateway.kubectl("api-resources", "-o", "name"))


@pytest.fixture
def humble(gateway: Gateway, tmp_path: Path) -> Iterator[Any]:
    """Makes the kubeconfig of a service account that has the rights of some rules."""
    gateway.kubectl("-n", SPACE, "create", "serviceaccount", "humble")

    def made(*rules: dict[str, Any]) -> Path:
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": rules}
        whole = msgspec.json.encode({**role, "metadata": {"name": "humble"}}).decode()
        gateway.kubectl("apply", "-f", "-", stdin=whole)
        account = f"--serviceaccount={SPACE}:humble"
        gateway.kubectl("create", "clusterrolebinding", "humble", "--clusterrole=humble", account)
        token = gateway.kubectl("-n", SPACE, "create", "token", "humble").strip()
        known = yaml.safe_load(Path(gateway.kubeconfig).read_text())
        known["users"][0]["user"] = {"token": token}
        path = tmp_path / "humble.kubeconfig"
        path.write_text(yaml.safe_dump(known))
        return path

    yield made
    gateway.kubectl("delete", "clusterrolebinding,clusterrole", "humble", "--ignore-not-found")
    gateway.kubectl("-n", SPACE, "delete", "serviceaccount", "humble")


def place_of(applications: Applications) -> Any:
    return applications.objects.place


async def test_the_kind_is_installed_with_the_first_application(gateway: Gateway) -> None:
    direct = Direct(Path(gateway.kubeconfig), impersonate=False)
    await direct.applications().create(BODY, "eks")
    definition = gateway.kubectl_json("get", "crd", DEFINITION)
    conditions = {one["type"]: one["status"] for one in definition["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"
    assert definition["spec"]["versions"][0]["subresources"] == {"status": {}}
    printed = gateway.kubectl("-n", SPACE, "get", "app")
    assert printed.split()[:6] == ["NAME", "TYPE", "VERSION", "OWNER", "READY", "AGE"]
    await direct.applications().delete("shop", frozenset())
    await direct.close()


async def test_a_kind_that_is_there_is_left_alone(gateway: Gateway) -> None:
    foreign = msgspec.json.decode(msgspec.json.encode(installation.documents()[0]))
    foreign["metadata"]["labels"] = {"made-by": "somebody"}
    gateway.kubectl("apply", "-f", "-", stdin=msgspec.json.encode(foreign).decode())
    direct = Direct(Path(gateway.kubeconfig), impersonate=False)
    await direct.applications().create(BODY, "eks")
    kept = gateway.kubectl_json("get", "crd", DEFINITION)["metadata"]
    assert kept["labels"] == {"made-by": "somebody"}
    await direct.applications().delete("shop", frozenset())
    await direct.close()


async def test_people_get_the_right_by_the_roles_they_have(gateway: Gateway) -> None:
    people = Impersonation(user="ann", groups=("developers", "system:authenticated"))
    gateway.kubectl("-n", SPACE, "create", "rolebinding", "dev", "--clusterrole=edit", "--group=developers")
    direct = Direct(Path(gateway.kubeconfig))
    await installation.ensure(place_of(direct.applications(actor=people)))
    for verb, group, allowed in (
        ("create", "developers", "yes"),
        ("delete", "developers", "yes"),
        ("create", "strangers", "no"),
    ):
        asked = ("auth", "can-i", verb, DEFINITION, "--as=ann", f"--as-group={group}")
        assert gateway.kubectl("-n", SPACE, *asked, ok=False).split()[0] == allowed
    gateway.kubectl("-n", SPACE, "delete", "rolebinding", "dev")
    await direct.close()


async def test_without_the_right_to_define_the_message_names_it(humble: Any) -> None:
    direct = Direct(humble(USES), impersonate=False)
    with pytest.raises(NotSupportedError, match="create customresourcedefinitions") as refusal:
        await installation.ensure(place_of(direct.applications()))
    assert "definition.yaml" in refusal.value.message
    await direct.close()


async def test_without_the_right_to_list_the_message_names_it(humble: Any) -> None:
    direct = Direct(humble(rule("get,list", "", "namespaces")), impersonate=False)
    with pytest.raises(
        UpstreamError, match=r"ECNS's own credentials lack the right.*applications"
    ) as refusal:
        await installation.ensure(place_of(direct.applications()))
    assert refusal.value.status == 502
    await direct.close()


async def test_without_the_right_to_give_roles_the_message_names_it(gateway: Gateway, humble: Any) -> None:
    definition = msgspec.json.encode(installation.documents()[0]).decode()
    gateway.kubectl("apply", "-f", "-", stdin=definition)
    direct = Direct(humble(USES, IMPERSONATES))
    people = Impersonation(user="ann", groups=("developers", "system:authenticated"))
    with pytest.raises(NotSupportedError, match="create and escalate clusterroles"):
        await installation.ensure(place_of(direct.applications(actor=people)))
    await direct.close()


def test_a_running_gateway_sees_the_kind_come_and_go(gateway: Gateway) -> None:
    client = gateway.client("developer")
    created = client.post("/applications/", json=application("come"))
    assert created.status_code == 200, created.text
    gateway.kubectl("delete", "crd", DEFINITION)

    def empty() -> bool:
        listed = client.get("/applications/")
        assert listed.status_code == 200, listed.text
        return bool(listed.json()["applications_info"] == [])

    eventually(empty)
    assert client.get("/applications/app/come/").status_code == 404
    again = client.post("/applications/", json=application("come"))
    assert again.status_code == 200, again.text
    body = {"applications": [{"name": "come"}]}
    assert client.request("DELETE", "/applications/app/", json=body).status_code == 200
