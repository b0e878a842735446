"""Objects that real clusters and real projects have, from the shared samples and recordings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

SHARED = Path(__file__).resolve().parents[4] / "shared"
CONTROLLERS = ("Deployment", "StatefulSet", "DaemonSet")


def samples(name: str = "*.yaml") -> list[dict[str, Any]]:
    """The documents of the sample manifests."""
    files = sorted((SHARED / "samples").glob(name))
    if not files:
        pytest.skip("the shared samples are not on this machine")
    return [one for file in files for one in yaml.safe_load_all(file.read_text()) if one]


def recorded(*kinds: str) -> Iterator[dict[str, Any]]:
    """The objects of these kinds that a real server answered with, also those in lists and watches."""
    files = sorted((SHARED / "oracle").glob("*.jsonl"))
    if not files:
        pytest.skip("the shared recordings are not on this machine")
    for file in files:
        for line in file.read_text().split("\n"):
            if any(f'"{kind}' in line for kind in kinds):
                response = json.loads(line)["response"]
                if isinstance(response.get("status"), int) and response["status"] < 300:
                    yield from _objects(response.get("body"), kinds)


def _objects(body: Any, kinds: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if isinstance(body, list):
        for one in body:
            yield from _objects(one, kinds)
    elif isinstance(body, dict):
        kind = str(body.get("kind", ""))
        if kind in kinds and "spec" in body:
            yield body
        elif kind.removesuffix("List") in kinds:
            for one in body.get("items") or []:
                yield {"kind": kind.removesuffix("List"), **one}
        elif "object" in body:
            yield from _objects(body["object"], kinds)
