"""The stand-in answers as real services do: the same calls, compared by status and by shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.real.openstack.launch.common import PATHS

if TYPE_CHECKING:
    from tests.embedded.openstack.conftest import Cloud
    from tests.real.openstack.cloud import Cloud as RealCloud

PREFIXES = {
    "nova": "/compute/v2.1",
    "neutron": "/network",
    "cinder": "/volume/v3",
    "glance": "/image",
    "octavia": "/load-balancer",
    "heat": "/orchestration/v1/{project}",
}
LBAAS = "/v2.0/lbaas"
NEW = {"OpenStack-API-Version": "compute 2.61"}
PRESENT = {"OpenStack-API-Version": "compute 2.96"}
LATEST = {"OpenStack-API-Version": "compute latest"}
EMPTY = "heat_template_version: 2021-04-16\nresources: {}"
TEMPLATE = "heat_template_version: 2021-04-16\nresources: {x: {type: OS::Zz}}"
NOWHERE = "11111111-1111-4111-8111-111111111111"
CALLS: list[tuple[str, str, str, str, Any, dict[str, str]]] = [
    ("developer", "nova", "GET", "/flavors/detail?limit=1", None, {}),
    ("developer", "nova", "GET", "/flavors/detail?limit=1", None, NEW),
    ("developer", "nova", "GET", "/flavors?limit=1", None, {}),
    ("developer", "nova", "GET", "/flavors/nope", None, {}),
    ("developer", "nova", "GET", "/os-availability-zone", None, {}),
    ("developer", "nova", "GET", "/limits", None, {}),
    ("developer", "nova", "GET", "/os-quota-sets/{project}", None, {}),
    ("developer", "nova", "GET", "/os-quota-sets/nope", None, {}),
    ("developer", "nova", "GET", "/servers/nope", None, {}),
    ("developer", "nova", "GET", "/servers/detail?all_tenants=1", None, {}),
    ("developer", "nova", "GET", "/servers", None, {"OpenStack-API-Version": "compute 2.999"}),
    ("developer", "nova", "POST", "/servers", {"server": {"name": "x"}}, {}),
    ("visitor", "nova", "POST", "/servers", {"server": {"name": "x", "flavorRef": "1"}}, {}),
    ("developer", "nova", "POST", "/flavors", {"flavor": {"name": "x", "vcpus": 1, "ram": 1, "disk": 1}}, {}),
    ("developer", "nova", "GET", "/nope", None, {}),
    ("developer", "neutron", "GET", "/v2.0/networks?name=private&limit=1", None, {}),
    ("developer", "neutron", "GET", "/v2.0/networks?name=private&fields=name", None, {}),
    ("developer", "neutron", "GET", "/v2.0/networks?foo=bar", None, {}),
    ("developer", "neutron", "GET", "/v2.0/networks/nope", None, {}),
    ("developer", "neutron", "GET", "/v2.0/subnets?limit=1", None, {}),
    ("developer", "neutron", "GET", "/v2.0/ports?device_owner=network:router_interface&limit=1", None, {}),
    ("developer", "neutron", "GET", "/v2.0/routers", None, {}),
    ("developer", "neutron", "GET", "/v2.0/quotas/{project}", None, {}),
    ("visitor", "neutron", "POST", "/v2.0/networks", {"network": {}}, {}),
    ("developer", "neutron", "POST", "/v2.0/networks", {"network": {"nope": 1}}, {}),
    ("developer", "neutron", "POST", "/v2.0/subnets", {"subnet": {"network_id": NOWHERE}}, {}),
    ("developer", "cinder", "GET", "/types", None, {}),
    ("developer", "cinder", "GET", "/types/nope", None, {}),
    ("developer", "cinder", "GET", "/limits", None, {}),
    ("developer", "cinder", "GET", "/volumes/nope", None, {}),
    ("developer", "cinder", "POST", "/volumes", {"volume": {"size": 0}}, {}),
    ("developer", "cinder", "POST", "/volumes", {"volume": {"size": 2000}}, {}),
    ("developer", "cinder", "POST", "/volumes", {"volume": {"size": 1, "volume_type": "zz"}}, {}),
    ("visitor", "cinder", "POST", "/volumes", {"volume": {"size": 1}}, {}),
    ("developer", "glance", "GET", "/v2/images?name=cirros", None, {}),
    ("developer", "glance", "GET", "/v2/images?name=eq:cirros", None, {}),
    ("developer", "glance", "GET", "/v2/images?name=ubuntu:22.04", None, {}),
    ("developer", "glance", "GET", '/v2/images?name=in:"cirros","no, none"', None, {}),
    ("developer", "glance", "GET", "/v2/images?k8s_version=1.35.3&limit=1", None, {}),
    ("developer", "glance", "GET", "/v2/images/nope", None, {}),
    ("visitor", "glance", "POST", "/v2/images", {"name": "x"}, {}),
    ("developer", "octavia", "GET", f"{LBAAS}/loadbalancers", None, {}),
    ("developer", "octavia", "GET", f"{LBAAS}/flavors", None, {}),
    ("admin", "octavia", "GET", f"{LBAAS}/flavorprofiles", None, {}),
    ("developer", "octavia", "GET", f"{LBAAS}/flavorprofiles", None, {}),
    ("developer", "octavia", "GET", f"{LBAAS}/availabilityzones", None, {}),
    ("developer", "octavia", "GET", f"{LBAAS}/quotas/{{project}}", None, {}),
    ("developer", "octavia", "GET", f"{LBAAS}/loadbalancers/nope", None, {}),
    ("developer", "octavia", "POST", f"{LBAAS}/loadbalancers", {"loadbalancer": {"name": "x"}}, {}),
    (
        "developer",
        "octavia",
        "POST",
        f"{LBAAS}/loadbalancers",
        {"loadbalancer": {"vip_subnet_id": NOWHERE}},
        {},
    ),
    (
        "visitor",
        "octavia",
        "POST",
        f"{LBAAS}/loadbalancers",
        {"loadbalancer": {"vip_subnet_id": NOWHERE}},
        {},
    ),
    ("developer", "heat", "GET", "/stacks?name=zz", None, {}),
    ("developer", "heat", "GET", "/stacks/zz", None, {}),
    ("developer", "heat", "POST", "/stacks", {"stack_name": "x", "template": TEMPLATE}, {}),
    ("developer", "heat", "POST", "/stacks", {"stack_name": "x", "template": "foo"}, {}),
    ("developer", "heat", "POST", "/stacks", {"stack_name": "1x", "template": TEMPLATE}, {}),
    ("visitor", "heat", "POST", "/stacks", {"stack_name": "x", "template": TEMPLATE}, {}),
    ("developer", "heat", "POST", "/stacks/preview", {"stack_name": "x", "template": EMPTY}, {}),
    ("developer", "heat", "PATCH", f"/stacks/zz/{NOWHERE}/preview", {"existing": True}, {}),
    ("developer", "heat", "GET", f"/stacks/zz/{NOWHERE}/environment", None, {}),
    ("developer", "heat", "GET", "/resource_types?name=zz", None, {}),
    ("developer", "heat", "GET", "/stacks?limit=x", None, {}),
    ("developer", "cinder", "POST", "/volumes", {}, {}),
    ("developer", "cinder", "POST", "/volumes", {"volume": []}, {}),
    ("developer", "cinder", "GET", "/volumes", None, {"OpenStack-API-Version": "volume 3.999"}),
    ("developer", "cinder", "GET", "/types/default", None, {}),
    ("developer", "cinder", "GET", "/nope", None, {}),
    (
        "developer",
        "neutron",
        "GET",
        "/v2.0/security-groups?name=default&fields=id&fields=name&fields=description",
        None,
        {},
    ),
    ("developer", "nova", "POST", "/servers", {}, {}),
    ("developer", "nova", "GET", "/servers?limit=x", None, {}),
    ("developer", "nova", "POST", "/os-keypairs", {"keypair": {"name": "a/b"}}, {}),
    ("developer", "nova", "POST", "/os-keypairs", {"keypair": {"name": "a/b"}}, PRESENT),
    ("developer", "nova", "POST", "/os-server-groups", {"server_group": {"name": "x"}}, {}),
    ("developer", "nova", "POST", "/os-server-groups", {"server_group": {"policy": "x"}}, PRESENT),
    *(
        (user, "nova", "GET", path, None, version)
        for version in (PRESENT, LATEST)
        for user, path in (
            ("developer", "/flavors/detail?limit=1"),
            ("developer", "/limits"),
            ("developer", "/os-quota-sets/{project}"),
            ("admin", "/os-services"),
            ("admin", "/os-aggregates"),
            ("admin", "/os-hypervisors/detail"),
            ("admin", "/os-availability-zone/detail"),
        )
    ),
    ("admin", "nova", "GET", "/os-hypervisors/detail", None, {}),
    ("admin", "nova", "GET", "/os-services", None, {}),
]
UNEQUAL = frozenset({"extra_specs", "k8s_version", "container_runtime"})
"""What depends on what there is."""


def shape(value: Any) -> Any:
    """Keys, kinds of values, and texts of refusals."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items() if key not in UNEQUAL}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, bool) or value is None:
        return "bool or nothing"
    return "number" if isinstance(value, int | float) else "text"


def refusal(answer: httpx.Response, project: str) -> str:
    """What is said to a person."""
    return answer.text.replace(project, "PROJECT") if answer.status_code >= 400 else ""


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_as_real_services(number: int, cloud: Cloud, real_cloud: RealCloud) -> None:
    user, service, method, path, body, headers = CALLS[number]
    ours = cloud.call(user, method, PREFIXES[service] + path, body, headers)
    caller = real_cloud.caller(user)
    base = f"http://127.0.0.1:{real_cloud.ports[service]}{PATHS.get(service, '')}"
    url = (base + path).replace("$(project_id)s", caller.project_id).replace("{project}", caller.project_id)
    theirs = caller.http.request(method, url, headers=headers, **({} if body is None else {"json": body}))
    assert ours.status_code == theirs.status_code, theirs.text
    assert refusal(ours, cloud.users[user]["project_id"]) == refusal(theirs, caller.project_id)
    if "json" in theirs.headers.get("Content-Type", "") and theirs.is_success:
        assert shape(ours.json()) == shape(theirs.json())
