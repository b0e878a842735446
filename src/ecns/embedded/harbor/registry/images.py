"""Manifests: put, read, taken away."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ecns.embedded.harbor import manifests, quotas, records, rules
from ecns.embedded.harbor.answers import Answer, done
from ecns.embedded.harbor.errors import ProblemError, precondition
from ecns.embedded.harbor.files import digest_of, is_digest
from ecns.embedded.harbor.names import is_tag, split
from ecns.embedded.harbor.registry import faults
from ecns.embedded.harbor.registry.blobs import is_linked
from ecns.embedded.harbor.registry.gate import VERSION, base_url

if TYPE_CHECKING:
    from ecns.embedded.harbor.manifests import Manifest
    from ecns.embedded.harbor.registry.paths import Target
    from ecns.embedded.harbor.requests import Call
    from ecns.embedded.harbor.store import Row

OWN_CLIENT = "harbor-registry-client"
"""The User-Agent whose pulls do not count."""


async def manifest(call: Call, target: Target, project: Row) -> Answer:
    """GET, HEAD, PUT and DELETE of a manifest.

    Raises:
        ProblemError: whatever is wrong with it.
    """
    match call.method:
        case "GET" | "HEAD":
            return _read(call, target, project)
        case "PUT":
            try:
                return await _put(call, target, project)
            except _NoPageError:
                return faults.no_page()
        case "DELETE":
            return _delete(call, target)
    return faults.not_allowed("DELETE, GET, HEAD, PUT")


def _accepted(call: Call) -> set[str]:
    accepts = ",".join(call.request.headers.getall("Accept", []))
    return {manifests.media_type_of(item) for item in accepts.split(",")}


def _read(call: Call, target: Target, project: Row) -> Answer:
    harbor = call.harbor
    artifact = harbor.artifacts.find(target.repository, target.reference)
    digest, media_type = artifact["digest"], artifact["manifest_media_type"]
    if call.header("If-None-Match") in {digest, f'"{digest}"'}:
        return Answer(HTTPStatus.NOT_MODIFIED)
    if not harbor.oci and media_type not in _accepted(call):
        if media_type == manifests.OCI_MANIFEST:
            message = "OCI manifest found, but accept header does not support OCI manifests"
            raise faults.manifest_unknown(message)
        if media_type == manifests.OCI_INDEX:
            raise faults.manifest_unknown("OCI index found, but accept header does not support OCI indexes")
    body = harbor.store.value("SELECT body FROM manifest WHERE digest = ?", digest)
    if call.method == "GET" and call.header("User-Agent") != OWN_CLIENT:
        tag = "" if is_digest(target.reference) else target.reference
        harbor.pulls.add(artifact["repository_id"], artifact["id"], tag)
        resource = f"{target.repository}:{target.reference}"
        records.add(harbor.store, project["id"], "pull", "artifact", resource, by=call.caller.name)
    headers = {**VERSION, "Docker-Content-Digest": digest, "Etag": f'"{digest}"'}
    return Answer(HTTPStatus.OK, body, media_type, headers)


async def _put(call: Call, target: Target, project: Row) -> Answer:
    harbor, repository, reference = call.harbor, target.repository, target.reference
    body = await call.read()
    tag = "" if is_digest(reference) else reference
    if tag:
        _check_immutable(call, project, repository, tag)
    found = manifests.parse(call.header("Content-Type"), body)
    if not tag:
        found = manifests.named(found, digest_of(body, reference.partition(":")[0]))
    if not quotas.has(harbor.store, project["id"], found.digest):
        quotas.check(harbor.store, project["id"], len(body) + _new_bytes(call, project, found))
    with harbor.store.transaction():
        row = harbor.artifacts.ensure_repository(project["id"], repository)
        if tag and not is_tag(tag):
            raise _NoPageError
        if not tag and found.digest != reference:
            raise faults.digest_invalid()
        _check_references(call, repository, found)
        harbor.artifacts.put(project["id"], found)
        artifact, _ = harbor.artifacts.ensure(row, found)
        if tag:
            harbor.artifacts.ensure_tag(row, artifact, tag)
        resource = f"{repository}:{reference}"
        records.add(harbor.store, project["id"], "create", "artifact", resource, by=call.caller.name)
    headers = {
        **VERSION,
        "Location": f"{base_url(call)}/v2/{repository}/manifests/{found.digest}",
        "Docker-Content-Digest": found.digest,
    }
    if found.subject:
        headers["OCI-Subject"] = found.subject
    return Answer(HTTPStatus.CREATED, headers=headers)


class _NoPageError(Exception):
    """The reference is no tag: the registry does not know the path."""


def _check_immutable(call: Call, project: Row, repository: str, tag: str) -> None:
    name = split(repository)[1]
    known = call.harbor.store.one(
        "SELECT 1 FROM tag JOIN repository ON repository.id = repository_id"
        " WHERE repository.name = ? AND tag.name = ?",
        repository,
        tag,
    )
    if known and rules.immutable(call.harbor.store, project["id"], name, tag):
        raise precondition(f"Failed to process request due to '{name}:{tag}' configured as immutable.")


def _new_bytes(call: Call, project: Row, found: Manifest) -> int:
    store = call.harbor.store
    return sum(
        blob.size
        for blob in {item.digest: item for item in found.references}.values()
        if not blob.elsewhere and not quotas.has(store, project["id"], blob.digest)
    )


def _check_references(call: Call, repository: str, found: Manifest) -> None:
    """Make sure that everything a manifest names is there.

    Raises:
        ProblemError: 400 MANIFEST_BLOB_UNKNOWN, with each that is not.
    """
    store = call.harbor.store
    missing = [
        blob.digest
        for blob in found.blobs
        if not blob.elsewhere and not is_linked(store, repository, blob.digest)
    ]
    for child in found.children:
        try:
            call.harbor.artifacts.find(repository, child.digest)
        except ProblemError:
            missing.append(child.digest)
    if missing:
        raise faults.blobs_unknown(missing)


def _delete(call: Call, target: Target) -> Answer:
    harbor, reference = call.harbor, target.reference
    if not is_digest(reference):
        if harbor.oci:
            return _delete_tag(call, target)
        message = f"unsupported digest {reference}: invalid checksum digest format"
        raise ProblemError(HTTPStatus.BAD_REQUEST, message, "UNSUPPORTED")
    artifact = harbor.artifacts.find(target.repository, reference)
    harbor.artifacts.delete(artifact, call.caller.name)
    return done(HTTPStatus.ACCEPTED)


def _delete_tag(call: Call, target: Target) -> Answer:
    artifacts = call.harbor.artifacts
    artifact = artifacts.find(target.repository, target.reference)
    artifacts.delete_tag(artifacts.repository(target.repository), artifact, target.reference)
    return done(HTTPStatus.ACCEPTED)
