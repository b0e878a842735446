"""What the handlers share: the store, the files, accounts, tokens, uploads and the collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.harbor import clock
from ecns.embedded.harbor.accounts import FROZEN_SECONDS, Accounts, hashed
from ecns.embedded.harbor.artifacts import Artifacts
from ecns.embedded.harbor.collection import Collector
from ecns.embedded.harbor.files import Files
from ecns.embedded.harbor.projects import create_project
from ecns.embedded.harbor.pulls import Pulls
from ecns.embedded.harbor.store import Store
from ecns.embedded.harbor.tokens import Tokens
from ecns.embedded.harbor.uploads import Uploads

if TYPE_CHECKING:
    from pathlib import Path

ADMIN_ID = 1
WINDOW_HOURS = 2.0
"""How long what is fresh cannot be collected, as Harbor's default."""


class Harbor:
    """One Harbor over a directory.

    Args:
        folder: where everything is kept.
        key: signs tokens and the state of uploads.
        password: of the user `admin`.
        window_hours: how long what is fresh cannot be collected.
        frozen_seconds: how long a failed login takes.
        pull_seconds: how often the counts of pulls are written.
        oci: answer as the OCI specification asks where Harbor does otherwise.
    """

    def __init__(
        self,
        folder: Path,
        key: bytes,
        password: str,
        *,
        window_hours: float = WINDOW_HOURS,
        frozen_seconds: float = FROZEN_SECONDS,
        pull_seconds: float = 10.0,
        oci: bool = False,
    ) -> None:
        self.oci = oci
        self.store = Store(folder / "harbor.sqlite")
        self.files = Files(folder)
        self.tokens = Tokens(key)
        self.accounts = Accounts(self.store, frozen_seconds)
        self.artifacts = Artifacts(self.store, self.files)
        self.uploads = Uploads(self.store, self.files, key)
        self.pulls = Pulls(self.store, pull_seconds)
        self.collector = Collector(self, window_hours)
        self._ensure(password)

    def _ensure(self, password: str) -> None:
        """Make the administrator and the project `library` on the first start."""
        salt, digest = hashed(password)
        if self.store.run("UPDATE account SET salt = ?, hash = ? WHERE id = ?", salt, digest, ADMIN_ID):
            return
        now = clock.now()
        with self.store.transaction():
            self.store.run(
                "INSERT INTO account VALUES (?, 'admin', NULL, 'system admin', 'admin user', 1, ?, ?, ?, ?)",
                self.store.next_id("account"),
                salt,
                digest,
                now,
                now,
            )
            self.store.next_id("account")  # Harbor's second account is that of nobody
            create_project(self.store, "library", ADMIN_ID, {"public": "true"}, -1)

    def start(self) -> None:
        """Begin what goes on by itself."""
        self.uploads.start()
        self.pulls.start()
        self.collector.start()

    async def close(self) -> None:
        """End it, and close the store."""
        await self.collector.close()
        self.pulls.close()
        self.uploads.close()
        self.store.close()
