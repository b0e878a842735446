"""ECNS's own account in the cloud, for the little that no caller's token may read.

It is an application credential, which an operator can restrict to just that. Source:
https://docs.openstack.org/keystone/latest/user/application_credentials.html
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from ecns.errors import UnavailableError

if TYPE_CHECKING:
    from ecns.backends.openstack.keystone import Keystone

log = structlog.get_logger(__name__)

EARLY_SECONDS = 300.0
"""So long before its end a token is replaced."""


class Account:
    """Tokens of one application credential.

    Args:
        keystone: issues them.
        credential_id: the credential's.
        secret_file: holds its secret; read again for each token, since secrets are replaced.
    """

    def __init__(self, keystone: Keystone, credential_id: str, secret_file: Path) -> None:
        self._keystone = keystone
        self._credential_id = credential_id
        self._secret_file = secret_file
        self._lock = asyncio.Lock()
        self._token = ""
        self._until = 0.0

    async def token(self) -> str:
        """A token that is good for some minutes.

        Raises:
            UnauthorizedError: Keystone does not accept the credential.
            UpstreamError: Keystone does not answer.
            UnavailableError: the secret's file cannot be read.
        """
        async with self._lock:
            if time.time() >= self._until:
                try:
                    secret = self._secret_file.read_text().strip()
                except (OSError, ValueError) as error:
                    log.warning(
                        "ECNS has no account of its own", file=str(self._secret_file), reason=str(error)
                    )
                    message = "the secret of ECNS's own account in the cloud cannot be read"
                    raise UnavailableError(message) from error
                self._token, expires_at = await self._keystone.issue(self._credential_id, secret)
                self._until = expires_at - EARLY_SECONDS
            return self._token

    def forget(self) -> None:
        """The token is not accepted any more."""
        self._until = 0.0
