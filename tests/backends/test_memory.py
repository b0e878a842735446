"""What is remembered in this process: bounded, and gone in time; and where it is to be a Valkey's."""

from __future__ import annotations

import importlib.util

import pytest

from ecns.backends.memory import ENTRY, SWEEP_SECONDS, Local, memory
from ecns.config import ConfigError


async def test_values_end() -> None:
    now = 0.0
    local = Local(clock=lambda: now)
    await local.set("a", b"1", expires_in=10)
    assert await local.get("a") == b"1"
    now = 10.0
    assert await local.get("a") is None
    await local.set("b", b"1", expires_in=10)
    await local.delete("b")
    await local.delete("b")
    assert await local.get("b") is None


async def test_what_nobody_asks_for_again_takes_no_memory_for_ever() -> None:
    now = 0.0
    local = Local(clock=lambda: now)
    for number in range(100):
        await local.set(str(number), b"1", expires_in=1)
    now = SWEEP_SECONDS
    await local.set("last", b"1", expires_in=1)
    assert set(local._kept) == {"last"}
    assert local._bytes == len("last") + 1 + ENTRY


async def test_the_longest_unchanged_goes_when_there_is_too_much() -> None:
    local = Local(limit=3 * (ENTRY + 2))
    for name in ("a", "b", "c", "a", "d"):
        await local.set(name, b"1", expires_in=100)
    assert [name for name in "abcd" if await local.get(name)] == ["a", "c", "d"]


@pytest.mark.skipif(importlib.util.find_spec("valkey") is not None, reason="the library is installed")
def test_a_library_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match=r"install ecns\[valkey\]"):
        memory("valkey://127.0.0.1")
