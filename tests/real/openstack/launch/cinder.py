"""Cinder: API, scheduler and one volume service that logs what it would do."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.real.openstack.launch.common import Facts

BACKEND = "fake"


def configure(facts: Facts) -> None:
    """Write cinder.conf and its paste.ini."""
    facts.write(
        "cinder.conf",
        f"""
[DEFAULT]
log_file = {facts.folder}/cinder.log
transport_url = fake://
state_path = {facts.folder}
host = controller
enabled_backends = {BACKEND}
default_volume_type = standard
scheduler_driver_init_wait_time = 1
service_down_time = 100000000
glance_api_servers = {facts.url("glance")}
auth_strategy = keystone
api_paste_config = {facts.folder}/api-paste.ini
resource_query_filters_file = {facts.folder}/resource_filters.json
[database]
connection = {facts.database_url()}
[{BACKEND}]
volume_driver = cinder.tests.fake_driver.FakeLoggingVolumeDriver
volume_backend_name = {BACKEND}
[nova]
{facts.credentials()}
[service_user]
send_service_user_token = true
{facts.credentials()}
[coordination]
backend_url = file://{facts.folder}/coordination
""",
    )
    for file in ("api-paste.ini", "resource_filters.json"):  # by what people may ask: Heat asks by it
        shutil.copy(Path(sys.prefix) / "etc/cinder" / file, facts.folder)
    sys.argv += ["--config-file", str(facts.folder / "cinder.conf")]
    os.environ["OS_CINDER_DISABLE_EVENTLET_PATCHING"] = "true"


def prepare(facts: Facts) -> None:
    """Make the schema."""
    facts.create_database()
    _patch()
    import cinder.common.config  # noqa: F401  registers its options
    from cinder.db import migration
    from oslo_config import cfg

    cfg.CONF(sys.argv[1:], project="cinder")
    migration.db_sync()


def application(_: Facts) -> Any:
    """The Block Storage API, with everything behind it in this process."""
    _patch()
    from cinder.wsgi import wsgi

    api = wsgi.initialize_application()
    from cinder import policy, service
    from cinder.tests import fake_driver
    from oslo_config import cfg

    # An image would be copied to the volume by programs that need root.
    fake_driver.FakeLoggingVolumeDriver.clone_image = lambda *_: ({"provider_location": None}, True)
    policy.init()  # else the first of several requests at a time does it, and the others are refused
    service.Service.create(binary="cinder-scheduler").start()
    service.Service.create(
        host=f"{cfg.CONF.host}@{BACKEND}", service_name=BACKEND, binary="cinder-volume", coordination=True
    ).start()
    return api


def _patch() -> None:
    from cinder import monkey_patch

    if "cinder.service" not in sys.modules:
        monkey_patch.patch()
