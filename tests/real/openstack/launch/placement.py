"""Placement."""

from __future__ import annotations

import os
from typing import Any

from tests.real.openstack.launch.common import Facts


def configure(facts: Facts) -> None:
    """Write placement.conf."""
    facts.write(
        "placement.conf",
        f"""
[DEFAULT]
log_file = {facts.folder}/placement.log
[placement_database]
connection = {facts.database_url()}
sync_on_startup = true
""",
    )
    os.environ["OS_PLACEMENT_CONFIG_DIR"] = str(facts.folder)


def prepare(facts: Facts) -> None:
    """Make the database; the service makes its schema itself."""
    facts.create_database()


def application(_: Facts) -> Any:
    """The Placement API."""
    from placement.wsgi import api

    return api.application
