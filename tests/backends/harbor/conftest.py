"""A client of a recorded Harbor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest_asyncio

from ecns.backends.harbor.client import Harbor
from ecns.backends.harbor.registry import Registry
from tests.backends.harbor.servers import Recorded, client, serving


class Scene(NamedTuple):
    """A client and what it talks to."""

    recorded: Recorded
    harbor: Harbor
    registry: Registry


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Every request must be as it was recorded, and every recorded answer must be asked for."""
    recorded = Recorded()
    async with serving(recorded) as url, client(url, tmp_path) as harbor:
        recorded.url = url
        yield Scene(recorded, harbor, Registry(harbor.transport))
    assert not recorded.problems, "\n".join(recorded.problems)
    assert not recorded.expected
