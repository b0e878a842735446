"""The clients of the services against the real ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.real.openstack.seed import FLAVORS

from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.keystone import Keystone
from ecns.config import OpenStack as Settings
from ecns.errors import BadRequestError, ForbiddenError, NotFoundError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.real.openstack.cloud import Cloud

    from ecns.backends.openstack.heat import Heat, Stack


async def _until(heat: Heat, token: str, stack_id: str, status: str) -> Stack:
    async with asyncio.timeout(60):
        while (stack := await heat.stack(token, "one", stack_id)).stack_status != status:
            assert "FAILED" not in stack.stack_status, stack
            await asyncio.sleep(0.2)
    return stack


@pytest.fixture
async def client(real_cloud: Cloud) -> AsyncIterator[OpenStack]:
    keystone = Keystone(real_cloud.auth_url)
    made = OpenStack(keystone, Settings(region="RegionOne", timeout=60))
    yield made
    await made.close()
    await keystone.close()


@pytest.fixture
def developer(real_cloud: Cloud) -> str:
    return real_cloud.caller("developer").token


async def test_nova(client: OpenStack, developer: str) -> None:
    found = {
        flavor.name: (flavor.vcpus, flavor.ram, flavor.disk)
        for flavor in await client.nova.flavors(developer)
    }
    assert found.items() >= FLAVORS.items()
    assert {(zone.name, zone.state.available) for zone in await client.nova.zones(developer)} == {
        ("zone-a", True),
        ("zone-b", True),
    }
    assert await client.nova.servers(developer) == []


async def test_neutron_shows_what_the_token_may_see(
    client: OpenStack, real_cloud: Cloud, developer: str
) -> None:
    seen = {subnet.name: subnet for subnet in await client.neutron.subnets(developer)}
    assert set(seen) >= {"private-subnet", "isolated-subnet", "shared-subnet"}
    assert seen["private-subnet"].allocation_pools[0].start == "10.0.0.2"
    admin = real_cloud.caller("admin").token
    assert len(await client.neutron.subnets(admin)) > len(seen)
    ports = await client.neutron.router_ports(developer)
    assert {address.subnet_id for port in ports for address in port.fixed_ips} == {seen["private-subnet"].id}
    assert any(network.external for network in await client.neutron.networks(developer))


async def test_pages_are_followed(client: OpenStack, developer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecns.backends.openstack.service.PAGE", 1)
    assert len({flavor.id for flavor in await client.nova.flavors(developer)}) >= len(FLAVORS)
    assert len({image.id for image in await client.glance.images(developer)}) >= 4
    assert len({subnet.id for subnet in await client.neutron.subnets(developer)}) >= 3
    assert len({kind.id for kind in await client.cinder.types_of_volumes(developer)}) >= 2


async def test_the_others(client: OpenStack, real_cloud: Cloud, developer: str) -> None:
    project = real_cloud.caller("developer").project_id
    kinds = {kind.name: kind for kind in await client.cinder.types_of_volumes(developer)}
    assert {"standard", "ssd"} <= set(kinds)
    assert "others-own" not in kinds
    images = await client.glance.images(developer)
    assert ("1.36.1", "containerd") in {(image.k8s_version, image.container_runtime) for image in images}
    assert (await client.octavia.quota(developer, project)).load_balancer == 10
    assert await client.octavia.load_balancers(developer, project) == []
    assert await client.octavia.installed(developer)


async def test_refusals_tell_who_and_where_to_look(
    client: OpenStack, real_cloud: Cloud, developer: str
) -> None:
    with pytest.raises(NotFoundError) as missing:
        await client.heat.stack(developer, "none", "none")
    assert missing.value.details["upstream"] == "heat"
    assert missing.value.details["upstream_request_id"].startswith("req-")
    template = {"heat_template_version": "2021-04-16", "resources": {"x": {"type": "no::such"}}}
    with pytest.raises(BadRequestError, match="no::such"):
        await client.heat.create(developer, "wrong", template)
    with pytest.raises(ForbiddenError, match="Heat"):
        await client.heat.create(real_cloud.caller("visitor").token, "wrong", template)
    with pytest.raises(ForbiddenError):
        await client.octavia.quota(developer, real_cloud.caller("other").project_id)
    for ask in (client.nova.servers, client.neutron.subnets, client.glance.images, client.heat.stacks):
        with pytest.raises(UnauthorizedError):
            await ask("no-token")


async def test_a_stack_from_its_making_to_its_end(client: OpenStack, developer: str) -> None:
    heat = client.heat
    resource = {"type": "OS::Heat::Value", "properties": {"value": {"get_param": "said"}}}
    template = {
        "heat_template_version": "2021-04-16",
        "parameters": {"said": {"type": "string"}},
        "resources": {"kept": resource},
        "outputs": {"told": {"value": {"get_attr": ["kept", "value"]}}},
    }
    stack_id = await heat.create(developer, "one", template, parameters={"said": "a"}, tags="ecns,test")
    (listed,) = await heat.stacks(developer, tags="test")
    assert (listed.id, listed.tags) == (stack_id, ["ecns", "test"])
    assert await heat.stacks(developer, tags="nothing") == []
    await _until(heat, developer, stack_id, "CREATE_COMPLETE")
    await heat.update(developer, "one", stack_id, parameters={"said": "b"})
    stack = await _until(heat, developer, stack_id, "UPDATE_COMPLETE")
    assert [(output.output_key, output.output_value) for output in stack.outputs] == [("told", "b")]
    (found,) = await heat.resources(developer, "one", stack_id)
    assert (found.resource_name, found.resource_type) == ("kept", "OS::Heat::Value")
    await heat.delete(developer, "one", stack_id)
