"""Reading a watch until what is waited for has come, rather than until its time is up."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tests.embedded.kubernetes.conftest import TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.embedded.kubernetes.conftest import Client

Event = dict[str, Any]


async def events(
    api: Client, path: str, enough: int | Callable[[list[Event]], bool], **query: str
) -> list[Event]:
    """The events of a watch, up to a number of them or until `enough` says so."""
    found: list[Event] = []
    headers = {"Authorization": f"Bearer {TOKEN}"}
    parameters = {"watch": "1", **query}
    async with (
        asyncio.timeout(10),
        api.session.get(api.url + path, params=parameters, headers=headers) as response,
    ):
        async for line in response.content:
            found.append(json.loads(line))
            if len(found) >= enough if isinstance(enough, int) else enough(found):
                break
    return found


def named(found: list[Event]) -> list[tuple[str, str]]:
    """(type, name) of each event."""
    return [(item["type"], item["object"]["metadata"]["name"]) for item in found]
