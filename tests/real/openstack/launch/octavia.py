"""Octavia: API and worker; load balancers are made in the database and in Neutron, no amphora runs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from tests.real.openstack.launch.common import Facts


def configure(facts: Facts) -> None:
    """Write octavia.conf and make the certificates it asks for."""
    certificates = facts.folder / "certificates"
    certificates.mkdir(exist_ok=True)
    if not (certificates / "ca.pem").exists():
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
                *("-nodes", "-days", "3650", "-subj", "/CN=octavia"),
                *("-keyout", f"{certificates}/ca.key", "-out", f"{certificates}/ca.pem"),
            ],
            check=True,
            capture_output=True,
        )
    facts.write(
        "octavia.conf",
        f"""
[DEFAULT]
log_file = {facts.folder}/octavia.log
transport_url = fake://
host = controller
[database]
connection = {facts.database_url()}
[api_settings]
enabled_provider_drivers = amphora:amphora
default_provider_driver = amphora
auth_strategy = keystone
[service_auth]
{facts.credentials()}
[neutron]
{facts.credentials()}
[nova]
{facts.credentials()}
[glance]
{facts.credentials()}
[certificates]
ca_certificate = {certificates}/ca.pem
ca_private_key = {certificates}/ca.key
server_certs_key_passphrase = insecure-key-do-not-use-this-key
[haproxy_amphora]
client_cert = {certificates}/ca.pem
server_ca = {certificates}/ca.pem
[controller_worker]
workers = 1
client_ca = {certificates}/ca.pem
compute_driver = compute_noop_driver
amphora_driver = amphora_noop_driver
network_driver = allowed_address_pairs_driver
image_driver = image_noop_driver
volume_driver = volume_noop_driver
loadbalancer_topology = SINGLE
amp_active_wait_sec = 1
amp_image_tag = amphora
amp_boot_network_list = noop
[networking]
retry_interval = 1
""",
    )
    sys.argv += ["--config-file", str(facts.folder / "octavia.conf")]


def prepare(facts: Facts) -> None:
    """Make the schema and fill its lookup tables: its migrations are MySQL's alone."""
    facts.create_database()
    from octavia.common import constants
    from octavia.db import base_models, models
    from sqlalchemy import create_engine, orm

    engine = create_engine(facts.database_url())
    base_models.BASE.metadata.create_all(engine)
    with orm.Session(engine) as session, session.begin():
        for model, names in (
            (models.ProvisioningStatus, constants.SUPPORTED_PROVISIONING_STATUSES),
            (models.OperatingStatus, constants.SUPPORTED_OPERATING_STATUSES),
            (models.Protocol, constants.SUPPORTED_PROTOCOLS),
            (models.Algorithm, constants.SUPPORTED_LB_ALGORITHMS),
            (models.AmphoraRoles, constants.SUPPORTED_AMPHORA_ROLES),
            (models.LBTopology, constants.SUPPORTED_LB_TOPOLOGIES),
            (models.SessionPersistenceType, constants.SUPPORTED_SP_TYPES),
            (models.HealthMonitorType, constants.SUPPORTED_HEALTH_MONITOR_TYPES),
            (models.VRRPAuthMethod, constants.SUPPORTED_VRRP_AUTH),
            (models.L7RuleType, constants.SUPPORTED_L7RULE_TYPES),
            (models.L7RuleCompareType, constants.SUPPORTED_L7RULE_COMPARE_TYPES),
            (models.L7PolicyAction, constants.SUPPORTED_L7POLICY_ACTIONS),
            (models.ClientAuthenticationMode, constants.SUPPORTED_CLIENT_AUTH_MODES),
        ):
            session.add_all(model(name=name) for name in names)
        nobody, gone = constants.NIL_UUID, "DELETED-PLACEHOLDER"
        deleted = constants.DELETED
        session.add(models.FlavorProfile(id=nobody, name=gone, provider_name=deleted, flavor_data="{}"))
        session.add(
            models.AvailabilityZoneProfile(
                id=nobody, name=gone, provider_name=deleted, availability_zone_data="{}"
            )
        )
        session.flush()
        session.add(models.Flavor(id=nobody, flavor_profile_id=nobody, name=gone, enabled=False))
        session.add(models.AvailabilityZone(availability_zone_profile_id=nobody, name=nobody, enabled=False))
    engine.dispose()


def application(facts: Facts) -> Any:
    """The Load Balancing API, with its worker in this process."""
    from octavia.api import app

    api = app.setup_app(argv=sys.argv)
    from octavia.controller.queue.v2 import consumer
    from octavia.controller.worker.v2.tasks import network_tasks
    from octavia.network import data_models
    from octavia.network.drivers.neutron import allowed_address_pairs
    from oslo_config import cfg

    # There is no server that a port could be plugged into.
    driver = allowed_address_pairs.AllowedAddressPairsDriver
    driver.plug_port = lambda _, amphora, port: data_models.Interface(
        compute_id=amphora.compute_id, network_id=port.network_id, port_id=port.id, fixed_ips=port.fixed_ips
    )
    driver.unplug_network = lambda *_: None
    network_tasks.CalculateAmphoraDelta.execute = lambda _, loadbalancer, amphora, availability_zone: (  # noqa: ARG005  named so by Octavia
        data_models.Delta(
            amphora_id=amphora["id"],
            compute_id=amphora["compute_id"],
            add_nics=[],
            delete_nics=[],
            add_subnets=[],
            delete_subnets=[],
        ).to_dict(recurse=True)
    )
    facts.await_services()
    consumer.ConsumerService(0, cfg.CONF).run()
    return api
