"""Stacks: made of the other services' things, in order, and told as a real Heat tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.embedded.openstack.conftest import Cloud

pytestmark = pytest.mark.filterwarnings("ignore:::openstack")
"""What the SDK warns itself of."""

ROOT = "/orchestration/v1/{project}"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL11ezEcCVsfBcfQ+M4AfAupFvducz7MqE2JyHN0d6eT"
EVERYTHING = f"""
heat_template_version: 2021-04-16
resources:
  sg:
    type: OS::Neutron::SecurityGroup
    properties: {{rules: [{{protocol: tcp, port_range_min: 80, port_range_max: 80}}]}}
  port:
    type: OS::Neutron::Port
    properties:
      network: private
      security_groups: [{{get_resource: sg}}]
      fixed_ips: [{{subnet: private-subnet}}]
  boot: {{type: OS::Cinder::Volume, properties: {{size: 1, image: cirros, volume_type: high-performance}}}}
  data: {{type: OS::Cinder::Volume, properties: {{size: 2}}}}
  key: {{type: OS::Nova::KeyPair, properties: {{name: heats, public_key: {KEY}}}}}
  password: {{type: OS::Heat::RandomString, properties: {{length: 8}}}}
  server:
    type: OS::Nova::Server
    properties:
      flavor: m1.tiny
      key_name: {{get_resource: key}}
      block_device_mapping_v2: [{{volume_id: {{get_resource: boot}}, boot_index: 0}}]
      networks: [{{port: {{get_resource: port}}}}]
      user_data_format: RAW
      user_data: {{str_replace: {{template: "#!/bin/sh\\necho X", params: {{X: hi}}}}}}
      availability_zone: zone-a
  attachment:
    type: OS::Cinder::VolumeAttachment
    properties: {{instance_uuid: {{get_resource: server}}, volume_id: {{get_resource: data}}}}
  address:
    type: OS::Neutron::FloatingIP
    properties: {{floating_network: public, port_id: {{get_resource: port}}}}
  lb: {{type: OS::Octavia::LoadBalancer, properties: {{vip_subnet: private-subnet}}}}
  listener:
    type: OS::Octavia::Listener
    properties: {{loadbalancer: {{get_resource: lb}}, protocol: TCP, protocol_port: 80}}
  pool:
    type: OS::Octavia::Pool
    properties: {{listener: {{get_resource: listener}}, protocol: TCP, lb_algorithm: ROUND_ROBIN}}
  member:
    type: OS::Octavia::PoolMember
    properties:
      pool: {{get_resource: pool}}
      address: {{get_attr: [server, first_address]}}
      protocol_port: 80
      subnet: private-subnet
  monitor:
    type: OS::Octavia::HealthMonitor
    properties: {{pool: {{get_resource: pool}}, type: TCP, delay: 5, timeout: 3, max_retries: 3}}
outputs:
  first: {{value: {{get_attr: [server, first_address]}}}}
  fixed: {{value: {{get_attr: [port, fixed_ips, 0, ip_address]}}}}
  floating: {{value: {{get_attr: [address, floating_ip_address]}}}}
  networks: {{value: {{get_attr: [server, networks]}}}}
  password: {{value: {{get_attr: [password, value]}}}}
"""
GROUP = """
heat_template_version: 2021-04-16
description: some servers
parameters:
  count: {type: number, default: 1, constraints: [{range: {min: 0, max: 20}}]}
  flavor: {type: string, default: m1.tiny, constraints: [{custom_constraint: nova.flavor}]}
  secret: {type: string, hidden: true, default: xyz}
resources:
  group:
    type: OS::Heat::ResourceGroup
    properties:
      count: {get_param: count}
      resource_def:
        type: OS::Nova::Server
        properties:
          name: 'srv-%index%'
          flavor: {get_param: flavor}
          image: cirros
          user_data_format: RAW
          networks: [{network: private}]
outputs:
  names: {value: {get_attr: [group, name]}}
  refs: {value: {get_attr: [group, refs]}, description: the ids}
"""
MEMBER = """
heat_template_version: 2021-04-16
parameters:
  name: {type: string}
  pool: {type: string}
resources:
  port: {type: OS::Neutron::Port, properties: {network: private}}
  disk: {type: OS::Cinder::Volume, properties: {size: 1}}
  server:
    type: OS::Nova::Server
    properties:
      name: {get_param: name}
      flavor: m1.tiny
      image: cirros
      user_data_format: RAW
      networks: [{port: {get_resource: port}}]
  attachment:
    type: OS::Cinder::VolumeAttachment
    properties: {instance_uuid: {get_resource: server}, volume_id: {get_resource: disk}}
  member:
    type: OS::Octavia::PoolMember
    properties:
      pool: {get_param: pool}
      address: {get_attr: [port, fixed_ips, 0, ip_address]}
      protocol_port: 80
outputs:
  OS::stack_id: {value: {get_resource: server}}
  address: {value: {get_attr: [server, first_address]}}
"""
BALANCED = """
heat_template_version: 2021-04-16
parameters:
  count: {type: number}
resources:
  lb: {type: OS::Octavia::LoadBalancer, properties: {vip_subnet: private-subnet}}
  listener:
    type: OS::Octavia::Listener
    properties: {loadbalancer: {get_resource: lb}, protocol: TCP, protocol_port: 80}
  pool:
    type: OS::Octavia::Pool
    properties: {listener: {get_resource: listener}, protocol: TCP, lb_algorithm: ROUND_ROBIN}
  group:
    type: OS::Heat::ResourceGroup
    properties:
      count: {get_param: count}
      resource_def:
        type: member.yaml
        properties: {name: 'vm-%index%', pool: {get_resource: pool}}
outputs:
  addresses: {value: {get_attr: [group, attributes, address]}}
  servers: {value: {get_attr: [group, refs]}}
"""


class Stacks:
    """The stacks of one user; what a test made goes."""

    def __init__(self, cloud: Cloud, user: str) -> None:
        self.cloud = cloud
        self.user = user
        self.made: list[str] = []

    def call(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = self.cloud.call(self.user, method, ROOT + path, body)
        assert answer.status_code == status, answer.text
        return answer.json() if "json" in answer.headers["Content-Type"] else None

    def create(self, name: str, template: Any, **fields: Any) -> str:
        body = {"stack_name": name, "template": template, **fields}
        made = self.call("POST", "/stacks", body, status=201)["stack"]["id"]
        self.made.append(f"/stacks/{name}/{made}")
        return self.made[-1]

    def refused(self, template: Any, **fields: Any) -> dict[str, Any]:
        said = self.call("POST", "/stacks", {"stack_name": "s", "template": template, **fields}, status=400)
        error: dict[str, Any] = said["error"]
        return error

    def becomes(self, path: str, status: str) -> dict[str, Any]:
        def reached() -> Any:
            found = self.call("GET", path)["stack"]
            assert not found["stack_status"].endswith("IN_PROGRESS"), found
            return found

        found: dict[str, Any] = eventually(reached, seconds=60)
        assert found["stack_status"] == status, found["stack_status_reason"]
        return found

    def outputs(self, path: str) -> dict[str, Any]:
        found = self.call("GET", path)["stack"]["outputs"]
        return {output["output_key"]: output["output_value"] for output in found}

    def delete(self, path: str) -> None:
        answer = self.cloud.call(self.user, "DELETE", ROOT + path)
        assert answer.status_code == 204, answer.text
        self.becomes(path, "DELETE_COMPLETE")
        self.made.remove(path)


@pytest.fixture
def stacks(cloud: Cloud) -> Iterator[Stacks]:
    made = Stacks(cloud, "developer")
    yield made
    for path in list(made.made):
        made.delete(path)


def test_everything_in_its_order(stacks: Stacks, cloud: Cloud) -> None:
    path = stacks.create("full", EVERYTHING)
    stacks.becomes(path, "CREATE_COMPLETE")
    outputs = stacks.outputs(path)
    assert outputs["first"] == outputs["fixed"]
    assert outputs["networks"]["private"] == [outputs["fixed"], outputs["floating"]]
    assert len(outputs["password"]) == 8
    events = [
        e["resource_name"] + " " + e["resource_status"]
        for e in stacks.call("GET", f"{path}/events")["events"]
    ]
    assert events[0] == "full CREATE_COMPLETE"
    assert events.index("port CREATE_COMPLETE") > events.index("server CREATE_IN_PROGRESS")
    assert events.index("pool CREATE_COMPLETE") > events.index("member CREATE_IN_PROGRESS")
    needed = {
        r["resource_name"]: set(r["required_by"])
        for r in stacks.call("GET", f"{path}/resources")["resources"]
    }
    assert needed["port"] == {"server", "address"}
    stacks.delete(path)
    for kind, where in (("servers", "/compute/v2.1/servers"), ("volumes", "/volume/v3/volumes")):
        assert cloud.call("developer", "GET", where).json()[kind] == []
    assert (
        cloud.call("developer", "GET", "/load-balancer/v2.0/lbaas/loadbalancers").json()["loadbalancers"]
        == []
    )
    assert cloud.call("developer", "GET", "/network/v2.0/floatingips").json()["floatingips"] == []


def test_a_group_grows_and_shrinks(stacks: Stacks) -> None:
    path = stacks.create("grows", GROUP, tags="a,b", parameters={"count": 2})
    found = stacks.becomes(path, "CREATE_COMPLETE")
    assert (found["tags"], found["parameters"]["secret"]) == (["a", "b"], "******")
    first = stacks.outputs(path)
    assert first["names"] == ["srv-0", "srv-1"]
    stacks.call("PATCH", path, {"existing": True, "parameters": {"count": 3}}, status=202)
    stacks.becomes(path, "UPDATE_COMPLETE")
    grown = stacks.outputs(path)
    assert grown["refs"][:2] == first["refs"]
    assert grown["names"] == ["srv-0", "srv-1", "srv-2"]
    nested = stacks.call("GET", f"{path}/resources?nested_depth=2")["resources"]
    assert sorted(r["resource_name"] for r in nested) == ["0", "1", "2", "group"]
    assert {r["parent_resource"] for r in nested if r["resource_name"] != "group"} == {"group"}
    stacks.call("PATCH", path, {"existing": True, "parameters": {"count": 1}}, status=202)
    stacks.becomes(path, "UPDATE_COMPLETE")
    assert stacks.outputs(path)["refs"] == first["refs"][:1]
    assert stacks.call("GET", "/stacks?tags=a")["stacks"][0]["stack_name"] == "grows"


def test_a_change_in_place_keeps_the_server(stacks: Stacks, cloud: Cloud) -> None:
    path = stacks.create("resized", GROUP)
    stacks.becomes(path, "CREATE_COMPLETE")
    before = stacks.outputs(path)["refs"]
    stacks.call("PATCH", path, {"existing": True, "parameters": {"flavor": "m1.small"}}, status=202)
    stacks.becomes(path, "UPDATE_COMPLETE")
    assert stacks.outputs(path)["refs"] == before
    server = cloud.connection("developer").compute.get_server(before[0])
    assert (server.status, server.flavor.name) == ("ACTIVE", "m1.small")


def test_members_of_a_template_behind_a_load_balancer(stacks: Stacks, cloud: Cloud) -> None:
    path = stacks.create("vms", BALANCED, files={"member.yaml": MEMBER}, parameters={"count": 2})
    stacks.becomes(path, "CREATE_COMPLETE")
    addresses = stacks.outputs(path)["addresses"]
    assert set(addresses) == {"0", "1"}

    def members() -> set[str]:
        pool = cloud.call("developer", "GET", "/load-balancer/v2.0/lbaas/pools").json()["pools"][0]["id"]
        found = cloud.call("developer", "GET", f"/load-balancer/v2.0/lbaas/pools/{pool}/members").json()[
            "members"
        ]
        return {member["address"] for member in found}

    assert members() == set(addresses.values())
    servers = stacks.outputs(path)["servers"]
    assert cloud.connection("developer").compute.get_server(servers[0]).name == "vm-0"
    stacks.call("PATCH", path, {"existing": True, "parameters": {"count": 1}}, status=202)
    stacks.becomes(path, "UPDATE_COMPLETE")
    assert members() == {addresses["0"]}
    depth = stacks.call("GET", f"{path}/resources?nested_depth=3")["resources"]
    assert {"server", "port", "disk"} <= {r["resource_name"] for r in depth}


def test_a_quota_ends_it(stacks: Stacks) -> None:
    path = stacks.create("many", GROUP, parameters={"count": 12})
    found = stacks.becomes(path, "CREATE_FAILED")
    assert found["stack_status_reason"].startswith(
        "Resource CREATE failed: Forbidden: resources.group.resources[1"
    )
    assert (
        "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances (HTTP 403)"
        in found["stack_status_reason"]
    )
    group = stacks.call("GET", f"{path}/resources/group")["resource"]
    assert group["resource_status"] == "CREATE_FAILED"
    assert f"Resource CREATE failed: {group['resource_status_reason']}" == found["stack_status_reason"]


def test_what_failed_is_rolled_back(stacks: Stacks, cloud: Cloud) -> None:
    path = stacks.create("back", GROUP, parameters={"count": 12}, disable_rollback=False)
    stacks.becomes(path, "ROLLBACK_COMPLETE")
    events = [
        e["resource_status"]
        for e in stacks.call("GET", f"{path}/events")["events"]
        if e["resource_name"] == "back"
    ]
    assert events == ["ROLLBACK_COMPLETE", "ROLLBACK_IN_PROGRESS", "CREATE_FAILED", "CREATE_IN_PROGRESS"]
    assert list(cloud.connection("developer").compute.servers()) == []


def test_a_failed_change_is_rolled_back(stacks: Stacks) -> None:
    path = stacks.create("before", GROUP, disable_rollback=False)
    stacks.becomes(path, "CREATE_COMPLETE")
    before = stacks.outputs(path)
    stacks.call("PATCH", path, {"existing": True, "parameters": {"count": 12}}, status=202)
    found = stacks.becomes(path, "ROLLBACK_COMPLETE")
    assert found["parameters"]["count"] == "1"
    assert stacks.outputs(path) == before


REPLACED = """
heat_template_version: 2021-04-16
parameters: {{hint: {{type: string}}}}
resources:
  disk:
    type: OS::Cinder::Volume
    deletion_policy: {policy}
    properties: {{name: replaced, size: 1, image: cirros, scheduler_hints: {{a: {{get_param: hint}}}}}}
  server:
    type: OS::Nova::Server
    properties:
      flavor: m1.tiny
      user_data_format: RAW
      block_device_mapping_v2: [{{volume_id: {{get_resource: disk}}, boot_index: 0}}]
      networks: [{{network: private}}]
"""


@pytest.mark.parametrize(("policy", "left"), [("Delete", 0), ("Retain", 2)])
def test_deleted_in_the_middle_of_a_change(stacks: Stacks, policy: str, left: int, cloud: Cloud) -> None:
    """What was replaced goes as well, unless it is to stay."""

    def disks() -> list[dict[str, Any]]:
        found = cloud.call("developer", "GET", "/volume/v3/volumes/detail?name=replaced").json()["volumes"]
        return list(found)

    path = stacks.create("middle", REPLACED.format(policy=policy), parameters={"hint": "1"})
    stacks.becomes(path, "CREATE_COMPLETE")
    stacks.call("PATCH", path, {"existing": True, "parameters": {"hint": "2"}}, status=202)
    eventually(lambda: len(disks()) == 2)
    stacks.delete(path)
    eventually(lambda: len(disks()) == left)
    # One that was just begun cannot be deleted before it is made.
    eventually(lambda: all(one["status"] == "available" for one in disks()))
    for one in disks():
        cloud.call("developer", "DELETE", f"/volume/v3/volumes/{one['id']}")
    eventually(lambda: not disks())


def test_defaults_of_an_environment_reach_what_is_inside(stacks: Stacks) -> None:
    """As a real Heat: they are kept by a change, and nobody is shown what is hidden."""
    inner = """
heat_template_version: 2021-04-16
parameters: {word: {type: string, hidden: true, default: none}}
resources: {kept: {type: OS::Heat::Value, properties: {value: {get_param: word}}}}
outputs: {word: {value: {get_attr: [kept, value]}}}
"""
    template = """
heat_template_version: 2021-04-16
parameters: {count: {type: number, default: 1}}
resources:
  group:
    type: OS::Heat::ResourceGroup
    properties: {count: {get_param: count}, resource_def: {type: inner.yaml}}
outputs: {words: {value: {get_attr: [group, word]}}}
"""
    environment = {"parameter_defaults": {"word": "quiet"}}
    path = stacks.create("quiet", template, files={"inner.yaml": inner}, environment=environment)
    stacks.becomes(path, "CREATE_COMPLETE")
    stacks.call("PATCH", path, {"existing": True, "parameters": {"count": 2}}, status=202)
    stacks.becomes(path, "UPDATE_COMPLETE")
    assert stacks.outputs(path)["words"] == ["quiet", "quiet"]
    shown = stacks.call("GET", f"{path}/environment")
    assert shown["parameter_defaults"] == {"word": "******"}
    stacks.delete(path)


def test_no_host_takes_it(stacks: Stacks, cloud: Cloud) -> None:
    huge = cloud.connection("admin").compute.create_flavor(name="huge", vcpus=1, ram=1, disk=10**6)
    path = stacks.create("nowhere", GROUP, parameters={"flavor": "huge"})
    reason = stacks.becomes(path, "CREATE_FAILED")["stack_status_reason"]
    assert reason == (
        "Resource CREATE failed: ResourceInError: resources.group.resources[0]: Went to status ERROR due to "
        '"Message: No valid host was found. , Code: 500"'
    )
    stacks.delete(path)
    cloud.connection("admin").compute.delete_flavor(huge)


def test_what_is_refused(stacks: Stacks) -> None:
    server = GROUP.replace("'srv-%index%'", "x")
    for template, parameters, kind, message in (
        (
            GROUP,
            {"count": 99},
            "StackValidationFailed",
            "Parameter 'count' is invalid: 99 is out of range (min: 0, max: 20)",
        ),
        (
            GROUP,
            {"flavor": "zz"},
            "StackValidationFailed",
            (
                "Parameter 'flavor' is invalid: Error validating value 'zz': No Flavor matching "
                "{'name': 'zz'}. (HTTP 404)"
            ),
        ),
        (GROUP, {"zz": 1}, "UnknownUserParameter", "The Parameter (zz) was not defined in template."),
        (
            "foo",
            {},
            "HTTPBadRequest",
            "Template not in valid format: The template is not a JSON object or YAML mapping.",
        ),
        (None, {}, "HTTPBadRequest", "No template specified"),
        (
            server.replace("OS::Nova::Server", "OS::Zz"),
            {},
            "StackValidationFailed",
            "The Resource Type (OS::Zz) could not be found.",
        ),
        (
            server.replace("get_param: count", "get_param: zz"),
            {},
            "StackValidationFailed",
            "Property error: resources.group.properties.count: The Parameter (zz) was not provided.",
        ),
        (
            server.replace("user_data_format", "zz"),
            {},
            "StackValidationFailed",
            "Property error: resources.group<nested_stack>.resources[0].properties: Unknown Property zz",
        ),
        (
            EVERYTHING.replace("image: cirros", "image: zz"),
            {},
            "StackValidationFailed",
            (
                "Property error: resources.boot.properties.image: Error validating value 'zz': No images "
                "matching {'name': 'zz'}."
            ),
        ),
        (
            EVERYTHING.replace("vip_subnet: private-subnet", "vip_subnet: zz"),
            {},
            "StackValidationFailed",
            (
                "Property error: resources.lb.properties.vip_subnet: Error validating value 'zz': Unable to "
                "find subnet with name or id 'zz'"
            ),
        ),
        (
            EVERYTHING.replace("[{get_resource: sg}]", "[{get_resource: zz}]"),
            {},
            "InvalidTemplateReference",
            'The specified reference "zz" (in port.Properties.security_groups[0]) is incorrect.',
        ),
        (
            EVERYTHING.replace("size: 2", "size: 0"),
            {},
            "StackValidationFailed",
            "Property error: resources.data.properties.size: 0 is out of range (min: 1, max: None)",
        ),
        (
            EVERYTHING.replace("[server, networks]", "[server, nope]"),
            {},
            "StackValidationFailed",
            "outputs.networks.value.get_attr: The Referenced Attribute (server nope) is incorrect.",
        ),
    ):
        assert stacks.refused(template, parameters=parameters) == {
            "type": kind,
            "traceback": None,
            "message": message,
        }


def test_names_inside_of_a_group_are_looked_at_late(stacks: Stacks) -> None:
    path = stacks.create("late", GROUP.replace("image: cirros", "image: no-such-image"))
    assert "no-such-image" in stacks.becomes(path, "CREATE_FAILED")["stack_status_reason"]


def test_a_name_is_one_stack(stacks: Stacks, cloud: Cloud) -> None:
    path = stacks.create("one", GROUP, parameters={"count": 0})
    stacks.becomes(path, "CREATE_COMPLETE")
    said = stacks.call("POST", "/stacks", {"stack_name": "one", "template": GROUP}, status=409)
    assert said["error"]["message"] == "The Stack (one) already exists."
    assert cloud.call("developer", "GET", f"{ROOT}/stacks/one").headers["Location"].endswith(path)
    assert cloud.call("visitor", "GET", f"{ROOT}{path}").status_code == 200
    assert cloud.call("visitor", "DELETE", f"{ROOT}{path}").status_code == 403
    assert cloud.call("other", "GET", f"{ROOT}{path}").status_code == 404


def test_suspend_resume_check(stacks: Stacks, cloud: Cloud) -> None:
    path = stacks.create("sleeps", GROUP)
    stacks.becomes(path, "CREATE_COMPLETE")
    server = stacks.outputs(path)["refs"][0]
    for action, status in (("suspend", "SUSPENDED"), ("resume", "ACTIVE"), ("check", "ACTIVE")):
        stacks.call("POST", f"{path}/actions", {action: None})
        stacks.becomes(path, f"{action.upper()}_COMPLETE")
        assert cloud.connection("developer").compute.get_server(server).status == status
    cloud.connection("developer").compute.delete_server(server)
    eventually(lambda: not list(cloud.connection("developer").compute.servers()), seconds=10)
    stacks.call("POST", f"{path}/actions", {"check": None})
    assert "could not be found" in stacks.becomes(path, "CHECK_FAILED")["stack_status_reason"]
