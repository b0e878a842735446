"""Runs a real OpenStack service: `python -m tests.real.openstack.launch SERVICE DIRECTORY`.

DIRECTORY holds `facts.json` and is where the service keeps its own folder.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys
import threading
import traceback
from pathlib import Path

from tests.real.openstack.launch.common import Facts

FILES = 20_000
"""Open at a time, at least."""


def main() -> None:
    """Prepare what is missing and serve until a signal."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    name, directory = sys.argv[1], Path(sys.argv[2])
    sys.argv = [name]  # oslo.config would read it
    facts = Facts.read(name, directory)
    service = importlib.import_module(f"tests.real.openstack.launch.{name}")
    service.configure(facts)
    prepared = facts.folder / "prepared"
    if not prepared.exists():
        service.prepare(facts)
        prepared.touch()
    application = service.application(facts)
    import waitress

    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if few < FILES:  # Heat's clients leave connections open
        enough = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, most))
    listening = {"host": "127.0.0.1", "port": facts.port}
    waitress.serve(application, **listening, threads=8, asyncore_use_poll=True, _quiet=True)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


try:
    main()
except BaseException:  # noqa: BLE001  it ends here
    traceback.print_exc()
    os._exit(1)  # threads of workers that have started would keep it
