"""What requests and answers are like whatever they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


@pytest.mark.parametrize("path", ["/", "/healthz", "/openapi/v2", "/api", "/apis/apps/v1", MAPS, "/nosuch"])
async def test_answers_are_not_to_be_cached_and_have_a_number(api: Client, path: str) -> None:
    answer = await api.get(path)
    assert answer.headers["Cache-Control"] == "no-cache, private"
    assert len(answer.headers["Audit-Id"]) == 36
    again = await api.call("GET", path, headers={"Audit-Id": "mine"})
    assert again.headers["Audit-Id"] == "mine"


@pytest.mark.parametrize(
    ("cascade", "code"), [(None, 200), ({"orphanDependents": False}, 202), ({"orphanDependents": True}, 200)]
)
async def test_what_waits_for_a_finalizer_is_accepted_for_deletion(
    api: Client, cascade: dict[str, bool] | None, code: int
) -> None:
    await api.post(MAPS, {"metadata": {"name": "c", "finalizers": ["example.com/x"]}})
    assert (await api.delete(f"{MAPS}/c", cascade)).status == code


@pytest.mark.parametrize(
    "accept", ["application/json;g=meta.k8s.io;v=v1", "application/json;as=Service;g=;v=v1"]
)
@pytest.mark.parametrize("watch", ["", "1"])
async def test_conversions_that_are_none_are_not_acceptable(api: Client, accept: str, watch: str) -> None:
    query = {"watch": watch, "timeoutSeconds": "1"}
    assert (await api.call("GET", MAPS, headers={"Accept": accept}, query=query)).status == 406


@pytest.mark.parametrize("watch", ["", "1"])
async def test_a_table_takes_no_unknown_part_along(api: Client, watch: str) -> None:
    query = {"includeObject": "everything", "watch": watch}
    refused = await api.call("GET", MAPS, headers={"Accept": TABLE}, query=query)
    assert refused.status == 400
    assert "must be 'Metadata', 'Object', 'None', or empty" in refused.message
