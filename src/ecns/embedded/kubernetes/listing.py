"""LIST: selectors, pages that stay consistent, resourceVersion rules.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

from ecns.embedded.kubernetes import options, selectors
from ecns.embedded.kubernetes.errors import ApiError, bad_request
from ecns.embedded.kubernetes.store import Expired

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.resources import Resource
    from ecns.embedded.kubernetes.store import Record, Store

_TOKEN_VERSION = "meta.k8s.io/v1"  # noqa: S105  the format of continue tokens
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the "
    "remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were "
    "created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


class _Token(msgspec.Struct):
    v: str
    rv: int
    start: str


def selection(resource: Resource, version: str, asked: options.ListOptions) -> selectors.Selection:
    """What label and field selectors of a request select.

    Raises:
        ApiError: 400 for selectors that do not parse.

    """
    return selectors.Selection(
        resource.name,
        selectors.parse_labels(asked.labels),
        selectors.parse_fields(
            asked.fields, resource.name, resource.selectable.get(version, ()) if resource.definition else None
        ),
    )


def page(
    store: Store,
    resource: Resource,
    namespace: str | None,
    chosen: selectors.Selection,
    asked: options.ListOptions,
) -> tuple[list[Record], Object]:
    """The objects of a LIST and the list's metadata.

    Args:
        store: the objects.
        resource: which.
        namespace: of one namespace, or of all (None).
        chosen: the selectors.
        asked: limit, continue and resourceVersion.

    Raises:
        ApiError: 400 for a bad token or version, 410 for one too old, 504 for one of the future.

    """
    revision, start = store.revision, ""
    exact = False
    if asked.token:
        token = _parse(asked.token)
        if asked.version and asked.version != "0":
            raise bad_request("specifying resource version is not allowed when using continue")
        start = token.start.removeprefix("/")
        exact, revision = token.rv > 0, token.rv if token.rv > 0 else revision
    else:
        version = options.check_version(asked.version)
        if version > store.revision:
            raise options.too_new(version, store.revision, soon=asked.match != "Exact")
        if asked.match == "Exact" or (asked.limit and version and not asked.match):
            exact, revision = True, version
    try:
        records = (
            store.at(resource.stored_as, namespace, revision)
            if exact
            else store.all(resource.stored_as, namespace)
        )
    except Expired:
        raise (
            _expired(start, namespace)
            if asked.token
            else ApiError(410, "Expired", "The resourceVersion for the provided list is too old.")
        ) from None
    if start:
        records = _after(records, start, namespace)
    limit = 0 if asked.version == "0" and not asked.match else asked.limit
    metadata: Object = {"resourceVersion": str(revision)}
    if not chosen.everything:
        return _selected(records, chosen, limit, metadata, namespace), metadata
    if limit and len(records) > limit:
        metadata["continue"] = _continue(revision, records[limit - 1], namespace)
        metadata["remainingItemCount"] = len(records) - limit
        records = records[:limit]
    return records, metadata


def _selected(
    records: list[Record], chosen: selectors.Selection, limit: int, metadata: Object, namespace: str | None
) -> list[Record]:
    found: list[Record] = []
    for record in records:
        if limit and len(found) == limit:
            metadata["continue"] = _continue(int(metadata["resourceVersion"]), found[-1], namespace)
            break
        if chosen.takes(record):
            found.append(record)
    return found


def _key(record: Record, namespace: str | None) -> str:
    return f"{record.namespace}/{record.name}" if namespace is None and record.namespace else record.name


def _after(records: list[Record], start: str, namespace: str | None) -> list[Record]:
    return [record for record in records if _key(record, namespace) >= start]


def _continue(revision: int, last: Record, namespace: str | None) -> str:
    token = _Token(_TOKEN_VERSION, revision, f"/{_key(last, namespace)}\0")
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).rstrip(b"=").decode()


def _parse(text: str) -> _Token:
    problem = "invalid continue token: continue key is not valid: "
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        where = next((at for at, letter in enumerate(text) if letter not in allowed), len(text))
        raise bad_request(f"{problem}illegal base64 data at input byte {where}") from None
    try:
        token = msgspec.json.decode(data, type=_Token)
    except (msgspec.DecodeError, UnicodeDecodeError):
        first = data[:1].decode(errors="replace")
        raise bad_request(f"{problem}invalid character '{first}' looking for beginning of value") from None
    if token.v != _TOKEN_VERSION:
        raise bad_request(f"{problem}server does not recognize this encoded version {token.v}")
    if not token.start.removeprefix("/"):
        raise bad_request(f"{problem}start is required")
    return token


class _GoneError(ApiError):
    def __init__(self, token: str) -> None:
        super().__init__(410, "Expired", _TOO_OLD)
        self.token = token

    def status(self) -> Object:
        status = super().status()
        status["metadata"] = {"continue": self.token}
        return status


def _expired(start: str, _namespace: str | None) -> ApiError:
    token = _Token(_TOKEN_VERSION, -1, start)
    return _GoneError(base64.urlsafe_b64encode(msgspec.json.encode(token)).rstrip(b"=").decode())
