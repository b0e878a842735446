"""Neutron with ML2 and no agents: every port is bound at once, and nothing carries traffic."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.real.openstack.launch.common import Facts


def configure(facts: Facts) -> None:
    """Write neutron.conf."""
    # The `logger` driver is the only one in the wheel that takes part in everything and decides nothing.
    facts.write(
        "neutron.conf",
        f"""
[DEFAULT]
log_file = {facts.folder}/neutron.log
transport_url = fake://
state_path = {facts.folder}
api_paste_config = {facts.folder}/api-paste.ini
core_plugin = ml2
service_plugins = router
dhcp_agent_notification = false
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
[database]
connection = {facts.database_url()}
[ml2]
type_drivers = local,flat
project_network_types = local
mechanism_drivers = logger
extension_drivers = port_security
[ml2_type_flat]
flat_networks = *
""",
    )
    shutil.copy(Path(sys.prefix) / "etc/neutron/api-paste.ini", facts.folder)
    os.environ["OS_NEUTRON_CONFIG_DIR"] = str(facts.folder)
    os.environ["OS_NEUTRON_CONFIG_FILES"] = "neutron.conf"


def prepare(facts: Facts) -> None:
    """Make the schema: its migrations are MySQL's alone."""
    facts.create_database()
    from neutron.db.migration.models import head
    from sqlalchemy import create_engine

    engine = create_engine(facts.database_url())
    head.get_metadata().create_all(engine)
    engine.dispose()


def application(_: Facts) -> Any:
    """The Networking API."""
    from neutron import policy, server
    from neutron.server import api
    from neutron.tests.unit.plugins.ml2.drivers import mechanism_logger

    mechanism_logger.LoggerMechanismDriver.bind_port = _bind
    neutron = server.boot_server(api.api_server, prog="neutron-api")
    policy.init()  # else the first of several requests at a time does it, and the others see nothing
    return neutron


def _bind(_: Any, context: Any) -> None:
    for segment in context.segments_to_bind:
        context.set_binding(segment["id"], "ovs", {"port_filter": True}, status="ACTIVE")
        return
