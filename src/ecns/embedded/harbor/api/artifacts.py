"""Artifacts and their tags: listed, shown, copied, removed; tags made and taken off."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ecns.embedded.harbor import clock, manifests, quotas, records, rules
from ecns.embedded.harbor.answers import JSON_UTF8, Answer, created, done, encoded, json_of
from ecns.embedded.harbor.api.labels import labels_of
from ecns.embedded.harbor.api.repositories import found as found_repository
from ecns.embedded.harbor.api.repositories import name_of, unquoted
from ecns.embedded.harbor.errors import ProblemError, bad_request, invalid, not_found, unknown
from ecns.embedded.harbor.names import is_tag, split
from ecns.embedded.harbor.query import AllOf, AnyOf, Between, Column, Fuzzy, Listing, keywords, listed
from ecns.embedded.harbor.requests import Shape

if TYPE_CHECKING:
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row

ICONS = {
    "IMAGE": "sha256:0048162a053eef4d4ce3fe7518615bef084403614f8bca43b40ae2e762e11e06",
    "CHART": "sha256:61cf3a178ff0f75bf08a25d96b75cf7355dc197749a9128ed3ef34b0df05518b",
    "CNAB": "sha256:089bdda265c14d8686111402c8ad629e8177a1ceb7dcd0f7f39b6480f623b3bd",
}
"""Digests of the pictures that Harbor has for kinds of artifacts."""
_UNKNOWN_ICON = "sha256:da834479c923584f4cbcdecc0dac61f32bef1d51e8aae598cf16bd154efab49f"
ADDITIONS = ("build_history", "values.yaml", "readme.md", "dependencies")
_COLUMNS = {
    "id": Column("artifact.id", "int"),
    "digest": Column("artifact.digest"),
    "type": Column("artifact.type"),
    "media_type": Column("artifact.media_type"),
    "manifest_media_type": Column("artifact.manifest_media_type"),
    "artifact_type": Column("artifact.artifact_type"),
    "size": Column("artifact.size", "int"),
    "push_time": Column("artifact.pushed", "time"),
    "pull_time": Column("artifact.pulled", "time"),
    "repository_id": Column("artifact.repository_id", "int"),
}
_TAG_COLUMNS = {
    "id": Column("tag.id", "int"),
    "name": Column("tag.name"),
    "artifact_id": Column("tag.artifact_id", "int"),
    "push_time": Column("tag.pushed", "time"),
    "pull_time": Column("tag.pulled", "time"),
}
_TAG = Shape(
    "Tag",
    {
        "id": int,
        "repository_id": int,
        "artifact_id": int,
        "name": str,
        "push_time": str,
        "pull_time": str,
        "immutable": bool,
    },
)
_SOURCE = re.compile(r"([^:@]+)(?:@([^@]+)|:([^:@]+))")


def found(call: Call, resource: str, action: str) -> tuple[Row, Row]:
    """The repository and the artifact that the path names, of a caller who may.

    Raises:
        ProblemError: 401 or 403, they may not; 404, there is none.
    """
    repository = found_repository(call, resource, action)
    return repository, call.harbor.artifacts.find(repository["name"], call.names["reference"])


# Shown


def _shown_tag(call: Call, project_id: int, name: str, row: Row, *, immutability: bool) -> dict[str, Any]:
    fixed = immutability and rules.immutable(call.harbor.store, project_id, name, row["name"])
    return {
        "artifact_id": row["artifact_id"],
        "id": row["id"],
        "immutable": fixed,
        "name": row["name"],
        "pull_time": clock.text(row["pulled"]),
        "push_time": clock.text(row["pushed"]),
        "repository_id": row["repository_id"],
    }


def _references(call: Call, artifact: Row) -> list[dict[str, Any]] | None:
    rows = call.harbor.store.all("SELECT * FROM child WHERE parent_id = ? ORDER BY place", artifact["id"])
    shown = []
    for row in rows:
        reference: dict[str, Any] = {}
        if annotations := json.loads(row["annotations"]):
            reference["annotations"] = annotations
        reference |= {"child_digest": row["digest"], "child_id": row["child_id"], "parent_id": artifact["id"]}
        platform = manifests.shown_platform(json.loads(row["platform"]))
        if platform is not None:
            reference["platform"] = platform
        shown.append({**reference, "urls": json.loads(row["urls"]) or None})
    return shown or None


def _shown(call: Call, repository: Row, artifact: Row) -> dict[str, Any]:
    project, name = split(repository["name"])
    shown: dict[str, Any] = {"accessories": _accessories(call, repository, artifact)}
    if artifact["type"] == "IMAGE" and artifact["manifest_media_type"] in manifests.IMAGES:
        path = f"/api/v2.0/projects/{project}/repositories/{quote(quote(name, safe=''), safe='')}"
        href = f"{path}/artifacts/{artifact['digest']}/additions/build_history"
        shown["addition_links"] = {"build_history": {"absolute": False, "href": href}}
    if annotations := json.loads(artifact["annotations"]):
        shown["annotations"] = annotations
    shown["digest"] = artifact["digest"]
    if attributes := json.loads(artifact["extra_attrs"]):
        shown["extra_attrs"] = attributes
    tags = None
    if call.flag("with_tag", default=True):
        immutability = call.flag("with_immutable_status")
        tags = [
            _shown_tag(call, repository["project_id"], name, row, immutability=immutability)
            for row in call.harbor.artifacts.tags_of(artifact["id"])
        ]
    labels = labels_of(call.harbor.store, artifact["id"]) if call.flag("with_label") else None
    return {
        **shown,
        "icon": ICONS.get(artifact["type"], _UNKNOWN_ICON),
        "id": artifact["id"],
        "labels": labels or None,
        "manifest_media_type": artifact["manifest_media_type"],
        "media_type": artifact["media_type"],
        "project_id": repository["project_id"],
        "pull_time": clock.text(artifact["pulled"]),
        "push_time": clock.text(artifact["pushed"]),
        "references": _references(call, artifact),
        "repository_id": repository["id"],
        "size": artifact["size"],
        "tags": tags or None,
        "type": artifact["type"],
    }


def _accessories(call: Call, repository: Row, artifact: Row) -> list[dict[str, Any]] | None:
    if not call.flag("with_accessory"):
        return None
    return [_accessory(repository, artifact, row) for row in _referrers(call, repository, artifact)] or None


def _referrers(call: Call, repository: Row, artifact: Row) -> list[Row]:
    return call.harbor.store.all(
        "SELECT * FROM artifact WHERE repository_id = ? AND subject = ? ORDER BY id",
        repository["id"],
        artifact["digest"],
    )


def _accessory(repository: Row, subject: Row, row: Row) -> dict[str, Any]:
    return {
        "artifact_id": row["id"],
        "creation_time": clock.text(row["pushed"]),
        "digest": row["digest"],
        "id": row["id"],
        "size": row["size"],
        "subject_artifact_digest": subject["digest"],
        "subject_artifact_id": subject["id"],
        "subject_artifact_repo": repository["name"],
        "type": "subject.accessory",
    }


# Artifacts


async def list_all(call: Call) -> Answer:
    """GET .../artifacts; of a repository that is not there: none."""
    call.require("artifact", "list", by_name=True)
    store = call.harbor.store
    repository = store.one("SELECT * FROM repository WHERE name = ?", name_of(call))
    listing = Listing("artifact", _COLUMNS, "artifact.pushed DESC, artifact.id DESC")
    listing.where("artifact.repository_id = ?", repository["id"] if repository else 0)
    asked = keywords(call.text("q"))
    if asked.pop("base", None) != "*":
        listing.where("NOT EXISTS (SELECT 1 FROM child WHERE child_id = artifact.id)")
        listing.where(
            "artifact.subject = '' OR NOT EXISTS (SELECT 1 FROM artifact AS other"
            " WHERE other.repository_id = artifact.repository_id AND other.digest = artifact.subject)"
        )
    _narrow_by_tag(listing, asked)
    listing.narrow(asked)
    rows, total = listing.page(store, call, "artifact.*")
    shown = [_shown(call, repository, row) for row in rows] if repository else []
    return listed(call, shown, total)


def _narrow_by_tag(listing: Listing, asked: dict[str, Any]) -> None:
    pattern = asked.pop("tags", None)
    exists = "EXISTS (SELECT 1 FROM tag WHERE artifact_id = artifact.id{})"
    match pattern:
        case AnyOf() | AllOf() | Between():
            raise bad_request('the value of "tags" query can only be fuzzy match value or exact match value')
        case "*":
            listing.where(exists.format(""))
        case "nil":
            listing.where(f"NOT {exists.format('')}")
        case Fuzzy(value):
            listing.where(exists.format(" AND instr(lower(tag.name), lower(?))"), value)
        case str(value):
            listing.where(exists.format(" AND tag.name = ?"), value)
    labels = asked.pop("labels", None)
    names = (
        labels.values if isinstance(labels, AllOf | AnyOf) else (labels,) if isinstance(labels, str) else ()
    )
    for name in names:
        listing.where(
            "EXISTS (SELECT 1 FROM label_artifact WHERE artifact_id = artifact.id AND label_id = ?)",
            int(name) if name.isdigit() else 0,
        )


async def show(call: Call) -> Answer:
    """GET .../artifacts/{reference}."""
    return json_of(_shown(call, *found(call, "artifact", "read")))


async def delete(call: Call) -> Answer:
    """DELETE .../artifacts/{reference}: the artifact with all its tags."""
    _, artifact = found(call, "artifact", "delete")
    call.harbor.artifacts.delete(artifact, call.caller.name)
    return done()


async def copy(call: Call) -> Answer:
    """POST .../artifacts?from=: a copy of an artifact of another repository, with its tags."""
    if not call.given("from"):
        raise invalid("from in query is required")
    target = call.require("artifact", "create", by_name=True)
    if target is None:
        raise not_found(f"project {call.names['project_name_or_id']} not found")
    text = unquoted(call.text("from"))
    matched = _SOURCE.fullmatch(text)
    if matched is None:
        raise bad_request(f"invalid input: {text}")
    source, reference = matched[1], matched[2] or matched[3]
    call.require("artifact", "read", by_name=True, reference=split(source)[0])
    try:
        artifact = call.harbor.artifacts.find(source, reference)
    except ProblemError as error:
        raise bad_request(error.message) from error
    name = name_of(call)
    store = call.harbor.store
    with store.transaction():
        digests = _needed(call, artifact)
        missing = [digest for digest in digests if not quotas.has(store, target["id"], digest)]
        sizes = [store.value("SELECT size FROM blob WHERE digest = ?", digest) or 0 for digest in missing]
        if missing:
            quotas.check(store, target["id"], sum(sizes))
        made = _copy(call, artifact, target["id"], name)
        repository = call.harbor.artifacts.repository(name)
        for tag in call.harbor.artifacts.tags_of(artifact["id"]):
            call.harbor.artifacts.ensure_tag(repository, made, tag["name"])
    records.add(store, target["id"], "create", "artifact", f"{name}:{reference}", by=call.caller.name)
    return created(f"{call.shown_path.rstrip('/')}/{reference}")


def _needed(call: Call, artifact: Row) -> list[str]:
    """Every blob and manifest that an artifact needs."""
    rows = call.harbor.store.all(
        "WITH RECURSIVE needed (digest) AS (SELECT ?1 UNION SELECT part.blob FROM part JOIN needed"
        " ON part.manifest = needed.digest) SELECT digest FROM needed",
        artifact["digest"],
    )
    return [row["digest"] for row in rows]


def _copy(call: Call, artifact: Row, project_id: int, name: str) -> Row:
    """Copy an artifact, its children before it, to a repository; the copy."""
    harbor = call.harbor
    repository = harbor.artifacts.ensure_repository(project_id, name)
    for child in harbor.store.all(
        "SELECT artifact.* FROM child JOIN artifact ON artifact.id = child_id WHERE parent_id = ?"
        " ORDER BY place",
        artifact["id"],
    ):
        _copy(call, child, project_id, name)
    manifest = harbor.artifacts.manifest(artifact["digest"])
    if manifest is None:
        raise unknown()
    for blob in manifest.blobs:
        if not blob.elsewhere:
            harbor.store.run("INSERT OR IGNORE INTO linked VALUES (?, ?)", name, blob.digest)
    harbor.artifacts.put(project_id, manifest)
    made, _ = harbor.artifacts.ensure(repository, manifest)
    return made


async def addition(call: Call) -> Answer:
    """GET .../artifacts/{reference}/additions/{addition}: of images, their history."""
    wanted = call.names["addition"]
    if wanted not in ADDITIONS:
        raise invalid(f"addition in path should be one of [{' '.join(ADDITIONS)}]")
    repository, artifact = found(call, "artifact-addition", "read")
    shown = wanted.upper()
    if artifact["manifest_media_type"] in manifests.INDEXES:
        raise bad_request(f"addition {shown} isn't supported")
    if artifact["type"] != "IMAGE":
        raise bad_request(f"the processor for artifact {artifact['type']} not found, cannot get the addition")
    if wanted != "build_history":
        raise bad_request(f"addition {shown} isn't supported for IMAGE(manifest version 2)")
    del repository
    manifest = call.harbor.artifacts.manifest(artifact["digest"])
    config = call.harbor.artifacts.config(manifest) if manifest else None
    history = config.get("history") if isinstance(config, dict) else None
    return Answer(HTTPStatus.OK, encoded(history).strip(), JSON_UTF8)


async def vulnerabilities(call: Call) -> Answer:
    """GET .../additions/vulnerabilities: there is no scanner."""
    repository, _ = found(call, "artifact-addition", "read")
    raise not_found(f"no scanner registration configured for project: {repository['project_id']}")


async def list_accessories(call: Call) -> Answer:
    """GET .../artifacts/{reference}/accessories: what refers to it."""
    repository, artifact = found(call, "accessory", "list")
    rows = _referrers(call, repository, artifact)
    return listed(call, [_accessory(repository, artifact, row) for row in rows], len(rows))


# Tags


async def list_tags(call: Call) -> Answer:
    """GET .../artifacts/{reference}/tags."""
    repository, artifact = found(call, "tag", "list")
    listing = Listing("tag", _TAG_COLUMNS, "tag.pushed DESC, tag.id DESC")
    listing.where("tag.artifact_id = ?", artifact["id"])
    listing.narrow(keywords(call.text("q")))
    rows, total = listing.page(call.harbor.store, call, "tag.*")
    immutability = call.flag("with_immutable_status")
    name = split(repository["name"])[1]
    shown = [_shown_tag(call, repository["project_id"], name, row, immutability=immutability) for row in rows]
    return listed(call, shown, total)


async def create_tag(call: Call) -> Answer:
    """POST .../artifacts/{reference}/tags."""
    body = await call.body("tag", _TAG)
    repository, artifact = found(call, "tag", "create")
    name = body.get("name", "")
    if not is_tag(name):
        raise bad_request(f"bad request: invalid tag name: {name}")
    call.harbor.artifacts.create_tag(repository, artifact, name)
    _record_tag(call, repository, "create", name)
    return done(HTTPStatus.CREATED)


async def delete_tag(call: Call) -> Answer:
    """DELETE .../artifacts/{reference}/tags/{tag}: the artifact stays."""
    repository, artifact = found(call, "tag", "delete")
    name = call.names["tag_name"]
    call.harbor.artifacts.delete_tag(repository, artifact, name)
    _record_tag(call, repository, "delete", name)
    return done()


def _record_tag(call: Call, repository: Row, operation: str, name: str) -> None:
    resource = f"{repository['name']}:{name}"
    records.add(call.harbor.store, repository["project_id"], operation, "tag", resource, by=call.caller.name)
