"""Runs a real Keystone: `python launch.py DIR PORT TOKEN_SECONDS PASSWORD`, in the environment that has it.

It makes its SQLite database, keys and administrator on the first start in DIR.
"""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

CONFIGURATION = """
[DEFAULT]
log_file = {directory}/keystone.log
transport_url = fake://
[database]
connection = sqlite:///{directory}/keystone.sqlite
[token]
expiration = {seconds}
caching = false
allow_expired_window = 1
[fernet_tokens]
key_repository = {directory}/fernet
[fernet_receipts]
key_repository = {directory}/fernet
[credential]
key_repository = {directory}/credential
[cache]
enabled = true
backend = oslo_cache.dict
[identity]
password_hash_algorithm = bcrypt
password_hash_rounds = 4
[oslo_messaging_notifications]
driver = noop
"""
# bcrypt's default rounds cost 250 ms a token; without the cache a validation asks the database 450 times.


def manage(configuration: Path, *arguments: str) -> None:
    """A step of keystone-manage, in this process: another would import all of Keystone again."""
    import keystone.conf  # noqa: PLC0415  slow, and not where the tests run
    from keystone.cmd import cli  # noqa: PLC0415
    from keystone.common.provider_api import ProviderAPIs  # noqa: PLC0415

    cli.main(argv=["keystone-manage", "--config-file", str(configuration), *arguments])
    keystone.conf.CONF.reset()
    keystone.conf.CONF.clear()
    keystone.conf.CONF.unregister_opt(cli.command_opt)
    ProviderAPIs._clear_registry_instances()


def main() -> None:
    """Prepare what is missing and serve until a signal."""
    directory, port, seconds, password = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    sys.argv = sys.argv[:1]  # oslo.config would read it
    configuration = directory / "keystone.conf"
    configuration.write_text(CONFIGURATION.format(directory=directory, seconds=seconds))
    ready = directory / "bootstrapped"
    if not ready.exists():
        for keys in ("fernet", "credential"):
            (directory / keys).mkdir(mode=0o700, exist_ok=True)
            for index in ("0", "1"):
                (directory / keys / index).write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
        manage(configuration, "db_sync")
        manage(
            configuration,
            "bootstrap",
            *("--bootstrap-password", password),
            *("--bootstrap-region-id", "RegionOne"),
            *("--bootstrap-public-url", f"http://127.0.0.1:{port}/v3"),
        )
        ready.touch()
    import waitress  # noqa: PLC0415  not where the tests run
    from keystone.server.flask import core  # noqa: PLC0415

    application = core.initialize_application(name="public", config_files=[str(configuration)])
    waitress.serve(application, host="127.0.0.1", port=port, threads=4, _quiet=True)


main()
