"""Lists of the registry: tags, repositories, and what refers to a manifest."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor import manifests
from ecns.embedded.harbor.answers import JSON_UTF8, Answer, encoded
from ecns.embedded.harbor.errors import bad_request
from ecns.embedded.harbor.files import is_digest
from ecns.embedded.harbor.registry import faults
from ecns.embedded.harbor.registry.pushing import link

if TYPE_CHECKING:
    from ecns.embedded.harbor.registry.paths import Target
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row


def _most(call: Call) -> int:
    """How many are asked for at most; -1 is all.

    Raises:
        ProblemError: 400, it is no number.
    """
    text = call.text("n")
    if not text:
        return -1
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise bad_request("the N must be a positive int type")
    return int(text)


def _cut(call: Call, names: list[str]) -> tuple[list[str], dict[str, str]]:
    """The names of the page that is asked for, and the Link to the next."""
    most, last = _most(call), call.text("last")
    names = sorted(name for name in names if name > last)
    if most == -1 or len(names) <= most:
        return names, {}
    page = names[:most]
    return page, {"Link": link(call.shown_path, last=page[-1], n=str(most))} if page else {}


def tags(call: Call, target: Target) -> Answer:
    """The tags of a repository.

    Raises:
        ProblemError: 404, there is no such repository.
    """
    if call.method != "GET":
        return faults.not_allowed("GET")
    store = call.harbor.store
    _most(call)
    repository = call.harbor.artifacts.repository(target.repository)
    rows = store.all("SELECT name FROM tag WHERE repository_id = ?", repository["id"])
    page, headers = _cut(call, [row["name"] for row in rows])
    return Answer(HTTPStatus.OK, encoded({"name": target.repository, "tags": page}), JSON_UTF8, headers)


def catalog(call: Call) -> Answer:
    """The repositories that hold something."""
    if call.method != "GET":
        return faults.not_allowed("GET")
    rows = call.harbor.store.all(
        "SELECT name FROM repository"
        " WHERE EXISTS (SELECT 1 FROM artifact WHERE repository_id = repository.id)"
    )
    page, headers = _cut(call, [row["name"] for row in rows])
    return Answer(HTTPStatus.OK, encoded({"repositories": page}), JSON_UTF8, headers)


def referrers(call: Call, target: Target) -> Answer:
    """What refers to a manifest, as an index.

    Raises:
        ProblemError: 400, it is not named by a digest.
    """
    if call.method != "GET":
        return faults.not_allowed("GET")
    harbor, wanted = call.harbor, call.text("artifactType")
    if not is_digest(target.reference):
        raise bad_request(f"unsupported digest {target.reference}: invalid checksum digest format")
    headers = {} if harbor.oci else {"X-Total-Count": "0"}
    known = harbor.store.one(
        "SELECT 1 FROM artifact JOIN repository ON repository.id = repository_id"
        " WHERE name = ? AND digest = ?",
        target.repository,
        target.reference,
    )
    if known is None and not harbor.oci:
        return Answer(HTTPStatus.OK, encoded({}), JSON_UTF8, headers)
    rows = harbor.store.all(
        "SELECT artifact.* FROM artifact JOIN repository ON repository.id = repository_id"
        " WHERE name = ? AND subject = ? ORDER BY artifact.id",
        target.repository,
        target.reference,
    )
    if not harbor.oci:
        headers["X-Total-Count"] = str(len(rows))
    if wanted:
        headers["OCI-Filters-Applied"] = "artifactType"
        rows = [row for row in rows if row["artifact_type"] == wanted]
    index = {
        "schemaVersion": 2,
        "mediaType": manifests.OCI_INDEX,
        "manifests": [_described(call, row) for row in rows],
    }
    return Answer(HTTPStatus.OK, encoded(index), manifests.OCI_INDEX if harbor.oci else JSON_UTF8, headers)


def _described(call: Call, row: Row) -> dict[str, Any]:
    size = call.harbor.store.value("SELECT length(body) FROM manifest WHERE digest = ?", row["digest"])
    described = {"mediaType": row["manifest_media_type"], "digest": row["digest"], "size": size}
    if row["artifact_type"]:
        described["artifactType"] = row["artifact_type"]
    if annotations := json.loads(row["annotations"]):
        described["annotations"] = annotations
    return described
