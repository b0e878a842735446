"""Glance, with its images in files."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.real.openstack.launch.common import Facts


def configure(facts: Facts) -> None:
    """Write glance-api.conf and make the stores' directories."""
    for store in ("images", "staging", "tasks"):
        (facts.folder / store).mkdir(exist_ok=True)
    facts.write(
        "glance-api.conf",
        f"""
[DEFAULT]
log_file = {facts.folder}/glance.log
transport_url = fake://
enabled_backends = default:file
worker_self_reference_url = {facts.url("glance")}
[database]
connection = {facts.database_url()}
[glance_store]
default_backend = default
[default]
filesystem_store_datadir = {facts.folder}/images
[os_glance_staging_store]
filesystem_store_datadir = {facts.folder}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {facts.folder}/tasks
[paste_deploy]
flavor = keystone
config_file = {facts.folder}/glance-api-paste.ini
""",
    )
    shutil.copy(Path(sys.prefix) / "etc/glance/glance-api-paste.ini", facts.folder)
    os.environ["OS_GLANCE_CONFIG_DIR"] = str(facts.folder)


def prepare(facts: Facts) -> None:
    """Make the schema."""
    facts.create_database()
    from glance.db.sqlalchemy import models
    from sqlalchemy import create_engine

    engine = create_engine(facts.database_url())
    models.register_models(engine)
    engine.dispose()


def application(facts: Facts) -> Any:
    """The Image API; images are found where the cloud's directory is this time."""
    facts.execute("UPDATE image_locations SET value = %s || image_id", f"file://{facts.folder}/images/")
    from glance.common import wsgi_app

    return wsgi_app.init_app()
