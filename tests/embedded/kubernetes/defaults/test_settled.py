"""What a real server shows is settled: neither decoding, nor defaults, nor validation touches it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from tests.embedded.kubernetes.recorded import ORACLE

from ecns.embedded.kubernetes import schemas, validation
from ecns.embedded.kubernetes.defaults import apply_defaults
from ecns.embedded.kubernetes.resources import Resource, Resources

Object = dict[str, Any]
KINDS: dict[tuple[str, str], Resource] = {
    (resource.api_version(version), resource.kind): resource
    for resource in Resources()
    for version in resource.versions
}
FILES = ("defaults", "errors", "patches", "apply", "watch", "controllers", "streams")


def objects(value: Any) -> Iterator[Object]:
    if isinstance(value, list):
        for item in value:
            yield from objects(item)
    elif isinstance(value, dict):
        kind = str(value.get("kind"))
        if "metadata" not in value:
            for item in value.values():
                yield from objects(item)
        elif kind.endswith("List"):
            about = {"kind": kind.removesuffix("List"), "apiVersion": value["apiVersion"]}
            yield from ({**item, **about} for item in value["items"] or ())
        else:
            yield value


def recorded() -> dict[str, list[Object]]:
    """By kind, each state of each object once."""
    found: dict[str, dict[str, Object]] = {}
    for file in FILES:
        for line in (ORACLE / f"{file}.jsonl").read_text().splitlines():
            for obj in objects(json.loads(line)["response"]["body"]):
                if (obj.get("apiVersion"), obj["kind"]) in KINDS and obj["metadata"].get("name"):
                    metadata = obj["metadata"]
                    key = f"{obj['apiVersion']} {metadata.get('uid')} {metadata.get('resourceVersion')}"
                    found.setdefault(obj["kind"], {})[key] = obj
    return {kind: list(items.values()) for kind, items in found.items()}


STATES = recorded() if ORACLE.exists() else {}


@pytest.mark.skipif(not STATES, reason=f"no recordings at {ORACLE}")
@pytest.mark.parametrize("kind", STATES)
def test_a_recorded_object_stays_as_it_is(kind: str) -> None:
    for obj in STATES[kind]:
        resource = KINDS[obj["apiVersion"], kind]
        ours = deepcopy(obj)
        assert schemas.decode(resource.name, ours) == []
        apply_defaults(resource.name, ours)
        validation.prepare_for_update(resource.name, ours, obj)
        assert ours == obj
        if obj["apiVersion"] != "autoscaling/v1":
            assert validation.validate_update(resource.name, ours, obj) == []
