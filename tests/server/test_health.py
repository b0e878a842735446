"""Readiness: quick, whatever hangs."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from litestar.datastructures import State

from ecns.errors import UpstreamUnavailableError
from ecns.server import health


async def _fine() -> None: ...


async def _hangs() -> None:
    await asyncio.sleep(60)


async def _away() -> None:
    raise UpstreamUnavailableError("Harbor cannot be reached", upstream="harbor")


@pytest.mark.parametrize(
    ("keystone", "clusters", "status"), [(_fine, [_fine, _hangs], 200), (_hangs, [_fine], 503)]
)
async def test_what_hangs_is_named_and_waited_for_no_longer_than_a_moment(
    monkeypatch: pytest.MonkeyPatch, keystone: object, clusters: list[object], status: int
) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.05)
    named = [SimpleNamespace(name=f"c{at}", ping=ping) for at, ping in enumerate(clusters)]
    state = State(
        {
            "keystone": SimpleNamespace(ping=keystone),
            "clusters": named,
            "harbor": SimpleNamespace(ping=_away),
        }
    )
    answer = await health.readyz.fn(state)
    assert answer.status_code == status
    assert answer.content["checks"]["harbor"] == "Harbor cannot be reached"
    assert "no answer within 0.05 s" in answer.content["checks"].values()
