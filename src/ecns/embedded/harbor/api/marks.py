"""Labels on artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.harbor.answers import Answer, done
from ecns.embedded.harbor.api.artifacts import found
from ecns.embedded.harbor.api.labels import BODY
from ecns.embedded.harbor.errors import bad_request, conflict, not_found

if TYPE_CHECKING:
    from ecns.embedded.harbor.requests import Call


async def add(call: Call) -> Answer:
    """POST .../artifacts/{reference}/labels."""
    body = await call.body("label", BODY)
    repository, artifact = found(call, "artifact-label", "create")
    store, identity = call.harbor.store, body.get("id", 0)
    label = store.one("SELECT * FROM label WHERE id = ?", identity)
    if label is None:
        raise not_found(f"label {identity} not found")
    if label["project_id"] not in {0, repository["project_id"]}:
        raise bad_request(f"label {identity} is not of this project")
    if not store.run("INSERT OR IGNORE INTO label_artifact VALUES (?, ?)", identity, artifact["id"]):
        raise conflict(f"label {identity} is already added to the artifact {artifact['id']}")
    return done()


async def remove(call: Call) -> Answer:
    """DELETE .../artifacts/{reference}/labels/{label_id}."""
    identity = call.number_in_path("label_id")
    _, artifact = found(call, "artifact-label", "delete")
    if not call.harbor.store.run(
        "DELETE FROM label_artifact WHERE label_id = ? AND artifact_id = ?", identity, artifact["id"]
    ):
        raise not_found(f"reference with label {identity} and artifact {artifact['id']} not found")
    return done()
