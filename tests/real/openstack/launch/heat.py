"""Heat: API and engine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from tests.real.openstack.launch.common import HEAT_ADMIN, HEAT_DOMAIN, PASSWORD, Facts


def configure(facts: Facts) -> None:
    """Write heat.conf and its api-paste.ini."""
    facts.write(
        "heat.conf",
        f"""
[DEFAULT]
log_file = {facts.folder}/heat.log
transport_url = fake://
host = controller
action_retry_limit = 0
num_engine_workers = 1
region_name_for_services = RegionOne
stack_user_domain_name = {HEAT_DOMAIN}
stack_domain_admin = {HEAT_ADMIN}
stack_domain_admin_password = {PASSWORD}
max_resources_per_stack = 1000
[database]
connection = {facts.database_url()}
[paste_deploy]
api_paste_config = {facts.folder}/api-paste.ini
[clients_keystone]
auth_uri = {facts.auth_url}
[trustee]
{facts.credentials()}
""",
    )
    shutil.copy(Path(sys.prefix) / "etc/heat/api-paste.ini", facts.folder)
    sys.argv += ["--config-file", str(facts.folder / "heat.conf")]


def prepare(facts: Facts) -> None:
    """Make the schema."""
    facts.create_database()
    from heat.common import config  # noqa: F401  registers its options
    from heat.db import migration
    from oslo_config import cfg

    cfg.CONF(sys.argv[1:], project="heat")
    migration.db_sync()


def application(facts: Facts) -> Any:
    """The Orchestration API, with its engine in this process."""
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    from heat.api.openstack import wsgi

    api = wsgi.init_application()
    from heat.common import config
    from heat.engine import service, template
    from heat.rpc import api as rpc_api
    from oslo_config import cfg

    config.startup_sanity_check()
    template._get_template_extension_manager()
    facts.await_services()
    service.EngineService(cfg.CONF.host, rpc_api.ENGINE_TOPIC).start()
    return api
