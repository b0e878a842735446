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


@pytest.mark.parametrize("path", ["/version", MAPS])
@pytest.mark.parametrize(
    ("given", "why"),
    [
        *((text, "") for text in ("0", "0s", "3m", "1h2.5s", "-1s", "+.5ms")),
        ("soon", 'time: invalid duration "soon"'),
        ("5", 'time: missing unit in duration "5"'),
        ("5x", 'time: unknown unit "x" in duration "5x"'),
    ],
)
async def test_a_timeout_is_a_duration(api: Client, path: str, given: str, why: str) -> None:
    answer = await api.call("GET", path, query={"timeout": given})
    assert answer.status == (400 if why else 200)
    assert not why or answer.message == f"invalid timeout specified in the request URL - {why}"


MATRIX = (  # what is deleted, whether it was being deleted, how, whether that changes it
    *(("pods", False, how, True) for how in ("", "Orphan", "Foreground", "15", "0")),
    *(("pods", True, how, how in {"15", "0"}) for how in ("", "Orphan", "Foreground", "30", "15", "0")),
    *(("configmaps", True, how, bool(how)) for how in ("", "Orphan", "Foreground")),
)


@pytest.mark.parametrize(("resource", "before", "how", "changes"), MATRIX)
async def test_a_deletion_changes_what_it_hastens(
    api: Client, resource: str, *, before: bool, how: str, changes: bool
) -> None:
    path = f"/api/v1/namespaces/default/{resource}"
    body: dict[str, object] = {"metadata": {"name": "it", "finalizers": ["example.com/wait"]}}
    if resource == "pods":
        await api.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
        body["spec"] = {"nodeName": "node", "containers": [{"name": "c", "image": "i"}]}
    await api.post(path, body)
    if before:
        await api.delete(f"{path}/it", {"gracePeriodSeconds": 30} if resource == "pods" else None)
    version = (await api.get(f"{path}/it")).json["metadata"]["resourceVersion"]
    options: dict[str, object] = {}
    if how:
        options = {"gracePeriodSeconds": int(how)} if how.isdigit() else {"propagationPolicy": how}
    answer = await api.delete(f"{path}/it", options)
    assert (answer.status, answer.json["kind"]) == (200, "Pod" if resource == "pods" else "ConfigMap")
    assert (answer.json["metadata"]["resourceVersion"] != version) == changes
