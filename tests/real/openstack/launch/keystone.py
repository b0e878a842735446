"""Keystone. It runs alone too, with SQLite."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any

from tests.real.openstack.launch.common import PASSWORD, PATHS, REGION, TYPES, Facts

if TYPE_CHECKING:
    from pathlib import Path


def configure(facts: Facts) -> None:
    """Write keystone.conf."""
    # bcrypt's default rounds cost 250 ms a token; without the cache a validation asks the database 450 times.
    facts.write(
        "keystone.conf",
        f"""
[DEFAULT]
log_file = {facts.folder}/keystone.log
transport_url = fake://
[database]
connection = {facts.database_url()}
[token]
expiration = {facts.token_seconds}
caching = false
allow_expired_window = 1
[fernet_tokens]
key_repository = {facts.folder}/fernet
[fernet_receipts]
key_repository = {facts.folder}/fernet
[credential]
key_repository = {facts.folder}/credential
[cache]
enabled = true
backend = oslo_cache.dict
[identity]
password_hash_algorithm = bcrypt
password_hash_rounds = 4
""",
    )


def prepare(facts: Facts) -> None:
    """Make the schema, the keys and the administrator."""
    for keys in ("fernet", "credential"):
        (facts.folder / keys).mkdir(mode=0o700, exist_ok=True)
        for index in ("0", "1"):
            (facts.folder / keys / index).write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
    facts.create_database()
    configuration = facts.folder / "keystone.conf"
    _manage(configuration, "db_sync")
    _manage(
        configuration,
        "bootstrap",
        *("--bootstrap-password", PASSWORD),
        *("--bootstrap-region-id", REGION),
        *(
            f"--bootstrap-{interface}-url={facts.auth_url}/v3"
            for interface in ("public", "internal", "admin")
        ),
    )


def _manage(configuration: Path, *arguments: str) -> None:
    """A step of keystone-manage, in this process: another would import all of Keystone again."""
    import keystone.conf
    from keystone.cmd import cli
    from keystone.common.provider_api import ProviderAPIs

    cli.main(argv=["keystone-manage", "--config-file", str(configuration), *arguments])
    keystone.conf.CONF.reset()
    keystone.conf.CONF.clear()
    keystone.conf.CONF.unregister_opt(cli.command_opt)
    ProviderAPIs._clear_registry_instances()


def application(facts: Facts) -> Any:
    """The Identity API; its catalog leads to where the services listen this time."""
    for service in facts.ports if facts.database else ():
        facts.execute(
            "UPDATE endpoint SET url = %s FROM service WHERE service.id = service_id AND service.type = %s",
            facts.url(service) + PATHS.get(service, ""),
            TYPES[service],
        )
    from keystone.server.flask import core

    return core.initialize_application(name="public", config_files=[str(facts.folder / "keystone.conf")])
