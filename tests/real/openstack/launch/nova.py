"""Nova: API, conductor, scheduler and several computes with the fake hypervisor, in two zones."""

from __future__ import annotations

import os
import shutil
import sys
import uuid
from pathlib import Path
from typing import Any

from tests.real.openstack.launch.common import ZONES, Facts

COMPUTES = tuple(host for hosts in ZONES.values() for host in hosts)
NAME = "osapi_compute"
CELL0 = "00000000-0000-0000-0000-000000000000"
CONNECTION = "{scheme}://{username}@/%s?{query}"  # Nova fills it with its own, which is another at each start


def configure(facts: Facts) -> None:
    """Write nova.conf and api-paste.ini."""
    facts.write(
        "nova.conf",
        f"""
[DEFAULT]
log_file = {facts.folder}/nova.log
transport_url = fake://
state_path = {facts.folder}
host = controller
compute_driver = fake.FakeDriver
service_down_time = 100000000
vif_plugging_is_fatal = false
vif_plugging_timeout = 0
sync_power_state_interval = -1
[api_database]
connection = {facts.database_url("nova_api")}
[database]
connection = {facts.database_url("nova")}
[vnc]
enabled = false
[scheduler]
discover_hosts_in_cells_interval = -1
[filter_scheduler]
enabled_filters = ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter
[glance]
api_servers = {facts.url("glance")}
[placement]
{facts.credentials()}
[neutron]
{facts.credentials()}
[cinder]
catalog_info = block-storage::publicURL
os_region_name = RegionOne
[service_user]
send_service_user_token = true
{facts.credentials()}
""",
    )
    shutil.copy(Path(sys.prefix) / "etc/nova/api-paste.ini", facts.folder)
    os.environ["OS_NOVA_CONFIG_DIR"] = str(facts.folder)


def prepare(facts: Facts) -> None:
    """Make the databases and map the two cells."""
    _patch()
    from nova import context, objects
    from nova.api.openstack import wsgi_app
    from nova.db import migration

    wsgi_app.init_global_data(wsgi_app._get_config_files(), NAME, NAME)
    for name in ("nova_api", "nova", "nova_cell0"):
        facts.create_database(name)
    migration.db_sync(database="api")
    admin = context.get_admin_context()
    cells = []
    for name, identity, database, transport in (
        ("cell0", CELL0, "nova_cell0", "none:///"),
        ("cell1", str(uuid.uuid4()), "nova", "fake://"),
    ):
        cell = objects.CellMapping(
            admin,
            uuid=identity,
            name=name,
            transport_url=transport,
            database_connection=CONNECTION % database,
        )
        cell.create()
        cells.append(cell)
    for cell in cells:
        with context.target_cell(admin, cell) as there:
            migration.db_sync(database="main", context=there)


def application(facts: Facts) -> Any:
    """The Compute API, with everything behind it in this process."""
    _patch()
    from nova.api.openstack import wsgi_app

    api = wsgi_app.init_application(NAME, NAME)
    facts.await_services("placement")
    from nova import service

    _pin_nodes()
    for binary in ("nova-conductor", "nova-scheduler"):
        service.Service.create(binary=binary).start()
    for host in COMPUTES:
        service.Service.create(host=host, binary="nova-compute").start()
    _discover()
    return api


def _patch() -> None:
    from nova import monkey_patch

    if "nova.service" not in sys.modules:
        monkey_patch.patch(backend="threading")


def _pin_nodes() -> None:
    """Give the nodes the same ids at each start; the fake hypervisor makes them up."""
    from nova.virt import fake, node

    for host in COMPUTES:
        setattr(fake.uuids, f"node_{host}", str(uuid.uuid5(uuid.NAMESPACE_DNS, host)))
    node.read_local_node_uuid = lambda: "pinned"  # the file has room for one, and there are several


def _discover() -> None:
    from nova import context
    from nova.objects import host_mapping

    host_mapping.discover_hosts(context.get_admin_context())
