"""Calls of Octavia and Neutron, with a token of the provider's own."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

    from ecns.embedded.cloudprovider.config import Config

POLL_SECONDS = 0.1
SETTLE_SECONDS = 300.0
EARLY_SECONDS = 60.0
BALANCERS = "/v2.0/lbaas"


class RefusedError(Exception):
    """The cloud does not do it; the message is the service's.

    Args:
        status: of HTTP.
        message: why.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class OpenStack:
    """A cloud.

    Args:
        config: where it is, and who asks.
        session: of HTTP.
    """

    def __init__(self, config: Config, session: aiohttp.ClientSession) -> None:
        self._config = config
        self._session = session
        self._token = ""
        self._until = 0.0
        self._endpoints: dict[str, str] = {}
        self._lock = asyncio.Lock()

    async def _log_in(self) -> None:
        config = self._config
        user = {"name": config.username, "domain": {"id": config.domain_id}, "password": config.password}
        identity = {"methods": ["password"], "password": {"user": user}}
        auth = {"identity": identity, "scope": {"project": {"id": config.project_id}}}
        async with self._session.post(f"{config.auth_url}/auth/tokens", json={"auth": auth}) as answer:
            if answer.status != HTTPStatus.CREATED:
                raise RefusedError(answer.status, f"Keystone does not let {config.username} in")
            said = (await answer.json())["token"]
            self._token = answer.headers["X-Subject-Token"]
        self._until = time.monotonic() + EARLY_SECONDS * 10
        for service in said["catalog"]:
            for endpoint in service["endpoints"]:
                if endpoint["interface"] == "public" and config.region in {"", endpoint["region_id"]}:
                    self._endpoints[service["type"]] = endpoint["url"].rstrip("/")

    async def call(self, service: str, method: str, path: str, body: Any = None, **query: str) -> Any:
        """One call; the decoded answer.

        Args:
            service: its type in the catalog.
            method: of HTTP.
            path: after the address, from the version on.
            body: JSON.
            query: parameters.

        Raises:
            RefusedError: the service refuses.
            aiohttp.ClientError: it cannot be reached.
        """
        for again in (True, False):
            async with self._lock:
                if time.monotonic() >= self._until:
                    await self._log_in()
            base = self._endpoints[service].removesuffix("/v2.0").removesuffix("/v2")
            headers = {"X-Auth-Token": self._token}
            async with self._session.request(
                method, base + path, json=body, params=query, headers=headers
            ) as answer:
                if answer.status == HTTPStatus.UNAUTHORIZED and again:
                    self._until = 0.0
                    continue
                if answer.status >= HTTPStatus.BAD_REQUEST:
                    raise RefusedError(answer.status, _message(await answer.text()))
                return await answer.json() if answer.status not in {202, 204} else None
        return None

    # Octavia

    async def balancer(self, identity: str) -> dict[str, Any] | None:
        """A load balancer, or None."""
        try:
            said = await self.call("load-balancer", "GET", f"{BALANCERS}/loadbalancers/{identity}")
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        found: dict[str, Any] = said["loadbalancer"]
        return found

    async def settled(self, identity: str) -> dict[str, Any] | None:
        """A load balancer once nothing of it is pending; None when it is gone.

        Raises:
            RefusedError: it has failed, or takes too long.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while (found := await self.balancer(identity)) is not None:
            status = found["provisioning_status"]
            if status == "ACTIVE":
                return found
            if status == "ERROR" or time.monotonic() > deadline:
                raise RefusedError(
                    HTTPStatus.CONFLICT, f"loadbalancer {identity} is in {status} provisioning status"
                )
            await asyncio.sleep(POLL_SECONDS)
        return None

    async def listed(self, kind: str, **query: str) -> list[dict[str, Any]]:
        """Octavia's things of a kind."""
        path = f"{BALANCERS}/{kind}"
        found: list[dict[str, Any]] = (await self.call("load-balancer", "GET", path, **query))[
            kind.rsplit("/", maxsplit=1)[-1]
        ]
        return found

    async def changed(self, balancer: str, method: str, path: str, body: Any = None, **query: str) -> Any:
        """A change of a part of a load balancer, and what is pending then is waited for."""
        await self.settled(balancer)
        said = await self.call("load-balancer", method, f"{BALANCERS}{path}", body, **query)
        await self.settled(balancer)
        return said

    # Neutron

    async def networking(self, kind: str, **query: str) -> list[dict[str, Any]]:
        """Neutron's things of a kind."""
        found: list[dict[str, Any]] = (await self.call("network", "GET", f"/v2.0/{kind}", **query))[kind]
        return found


def _message(text: str) -> str:
    import json  # noqa: PLC0415  refusals are few

    try:
        said = json.loads(text)
    except ValueError:
        return text[:200]
    if "faultstring" in said:
        return str(said["faultstring"])
    inner = said.get("NeutronError") or said.get("error") or said
    return str(inner.get("message") if isinstance(inner, dict) else inner)
