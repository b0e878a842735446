"""The query parameters of reads and writes, checked as Kubernetes does.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/list-meta/ and delete-options/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from ecns.embedded.kubernetes import bodies
from ecns.embedded.kubernetes.errors import ApiError, Cause, bad_request, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

_MANAGER_LIMIT = 128
_TRUE = {"1", "t", "T", "true", "TRUE", "True"}
_DURATION = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]*)", re.ASCII)
_UNITS = {"ns", "us", "\u00b5s", "\u03bcs", "ms", "s", "m", "h"}
_FALSE = {"0", "f", "F", "false", "FALSE", "False"}


def _int(query: Mapping[str, str], key: str) -> int | None:
    text = query.get(key)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def check_timeout(query: Mapping[str, str]) -> None:
    """Refuses a `timeout` that is no duration of Go's; how long is no matter, as no answer takes long.

    Raises:
        ApiError: 400.
    """
    text = query.get("timeout", "")
    rest = text[1:] if text[:1] in {"-", "+"} else text
    if not text or rest == "0":
        return
    why = ""
    parts = _DURATION.findall(rest)
    if not rest or "".join(number + unit for number, unit in parts) != rest:
        why = f'time: invalid duration "{text}"'
    elif unknown := [unit for _, unit in parts if unit not in _UNITS]:
        shown = f'unknown unit "{unknown[0]}"' if unknown[0] else "missing unit"
        why = f'time: {shown} in duration "{text}"'
    if why:
        raise bad_request(f"invalid timeout specified in the request URL - {why}")


def flag(query: Mapping[str, str], key: str) -> bool | None:
    """A boolean as Kubernetes reads it: what is no boolean is true, an absent one None."""
    text = query.get(key)
    if text is None:
        return None
    return text not in _FALSE


def _refuse(kind: str, causes: list[Cause]) -> None:
    if causes:
        raise invalid(kind, "meta.k8s.io", "", causes)


class ListOptions(msgspec.Struct, frozen=True):
    """Of GET on a collection."""

    watch: bool = False
    labels: str = ""
    fields: str = ""
    limit: int = 0
    token: str = ""
    version: str = ""
    match: str = ""
    timeout: int | None = None
    bookmarks: bool = False
    initial_events: bool | None = None


def list_options(query: Mapping[str, str], *, watch: bool = False) -> ListOptions:
    """Reads them.

    Raises:
        ApiError: 400 for numbers that are none, 422 for combinations that make no sense.

    """
    options = ListOptions(
        watch=watch or bool(flag(query, "watch")),
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        limit=max(_int(query, "limit") or 0, 0),
        token=query.get("continue", ""),
        version=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
        timeout=_int(query, "timeoutSeconds"),
        bookmarks=bool(flag(query, "allowWatchBookmarks")),
        initial_events=flag(query, "sendInitialEvents"),
    )
    _refuse("ListOptions", _watch_causes(options) if options.watch else _list_causes(options))
    return options


def _forbidden(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def _unsupported(field: str, value: str, supported: tuple[str, ...]) -> Cause:
    listed = ", ".join(f'"{item}"' for item in supported)
    return Cause("FieldValueNotSupported", f"Unsupported value: {value}: supported values: {listed}", field)


_MATCH = "resourceVersionMatch"
_NOT_A_STRUCT = (
    "json: cannot unmarshal {} into Go value of type struct {{ "
    r'APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }}'
)


def _list_causes(options: ListOptions) -> list[Cause]:
    causes: list[Cause] = []
    match = options.match
    if match:
        if not options.version:
            causes.append(_forbidden(_MATCH, f"{_MATCH} is forbidden unless resourceVersion is provided"))
        if options.token:
            causes.append(_forbidden(_MATCH, f"{_MATCH} is forbidden when continue is provided"))
        if match not in {"Exact", "NotOlderThan"}:
            causes.append(_unsupported(_MATCH, f'"{match}"', ("Exact", "NotOlderThan", "")))
        if match == "Exact" and options.version == "0":
            causes.append(_forbidden(_MATCH, f'{_MATCH} "exact" is forbidden for resourceVersion "0"'))
    if options.initial_events is not None:
        causes.append(_forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return causes


def _watch_causes(options: ListOptions) -> list[Cause]:
    causes: list[Cause] = []
    if options.initial_events is None:
        if options.match:
            causes.append(
                _forbidden(_MATCH, f"{_MATCH} is forbidden for watch unless sendInitialEvents is provided")
            )
    elif options.match != "NotOlderThan":
        causes.append(_forbidden(_MATCH, f"sendInitialEvents requires setting {_MATCH} to NotOlderThan"))
        if options.match:
            causes.append(_unsupported(_MATCH, f'"{options.match}"', ("NotOlderThan",)))
    if options.token and options.initial_events is None and options.version in {"", "0"}:
        # such a watch is one with initial events, which matches NotOlderThan
        causes.append(_forbidden(_MATCH, f"{_MATCH} is forbidden when continue is provided"))
    elif options.token:
        causes.append(_forbidden("continue", "continue is forbidden for watch"))
    return causes


class WriteOptions(msgspec.Struct, frozen=True):
    """Of POST, PUT and PATCH."""

    dry_run: bool = False
    manager: str = ""
    validation: str = "Warn"
    force: bool | None = None


def _dry_run(values: list[str]) -> tuple[bool, list[Cause]]:
    if any(value != "All" for value in values):
        listed = ",".join(f'"{value}"' for value in values)
        return False, [_unsupported("dryRun", f"[{listed}]", ("All",))]
    return bool(values), []


def write_options(
    query: Mapping[str, str], kind: str, dry_runs: list[str], agent: str, *, applies: bool = False
) -> WriteOptions:
    """Reads them.

    Args:
        query: the parameters.
        kind: `CreateOptions`, `UpdateOptions` or `PatchOptions`, for errors.
        dry_runs: every value of `dryRun`.
        agent: the User-Agent header, whose first word names the manager unless `fieldManager` does.
        applies: whether it is a server-side apply, which must name its manager.

    Raises:
        ApiError: 422 for values that are not allowed.

    """
    dry_run, causes = _dry_run([value for value in dry_runs if value])
    manager = query.get("fieldManager", "")
    if applies and not manager:
        causes.append(
            Cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")
        )
    if kind == "PatchOptions" and not applies and flag(query, "force") is not None:
        causes.append(_forbidden("force", "may not be specified for non-apply patch"))
    if len(manager.encode()) > _MANAGER_LIMIT:
        causes.append(Cause("FieldValueTooLong", "Too long: may not be more than 128 bytes", "fieldManager"))
    for position, character in enumerate(manager):
        if not character.isprintable():
            shown = msgspec.json.encode(manager).decode()
            why = f"Invalid value: {shown}: invalid character U+{ord(character):04X} (at position {position})"
            causes.append(Cause("FieldValueInvalid", why, "fieldManager"))
    validation = query.get("fieldValidation", "")
    if validation not in {"", "Ignore", "Strict", "Warn"}:
        causes.append(_unsupported("fieldValidation", f'"{validation}"', ("", "Ignore", "Strict", "Warn")))
    _refuse(kind, causes)
    return WriteOptions(
        dry_run=dry_run,
        manager=manager or agent.partition("/")[0][:_MANAGER_LIMIT] or "unknown",
        validation=validation or "Warn",
        force=flag(query, "force"),
    )


class DeleteOptions(msgspec.Struct, frozen=True):
    """Of DELETE."""

    dry_run: bool = False
    propagation: str | None = None
    grace: int | None = None
    cascades: bool = False
    """Whether `orphanDependents` says no: what is not gone at once is then Accepted."""
    preconditions: dict[str, Any] | None = None


def delete_options(query: Mapping[str, str], body: bytes, content_type: str) -> DeleteOptions:
    """Reads them out of the body and, where there is none, the query.

    Raises:
        ApiError: 400 for a body that is not DeleteOptions, 422 for values that are not allowed.

    """
    sent = _delete_body(body, content_type) if body.strip() else None
    if sent is None:
        sent = {"propagationPolicy": query.get("propagationPolicy") or None}
        if "orphanDependents" in query:
            sent["orphanDependents"] = flag(query, "orphanDependents")
        if "gracePeriodSeconds" in query:
            sent["gracePeriodSeconds"] = _int(query, "gracePeriodSeconds")
        sent["dryRun"] = [query["dryRun"]] if query.get("dryRun") else []
        sent["preconditions"] = {name: query[name] for name in ("uid", "resourceVersion") if query.get(name)}
    dry_run, causes = _dry_run(sent.get("dryRun") or [])
    propagation, orphan = sent.get("propagationPolicy"), sent.get("orphanDependents")
    if propagation is not None and orphan is not None:
        why = f'Invalid value: "{propagation}": orphanDependents and deletionPropagation cannot be both set'
        causes.append(Cause("FieldValueInvalid", why, "propagationPolicy"))
    if propagation not in {None, "Foreground", "Background", "Orphan"}:
        supported = ("Foreground", "Background", "Orphan", "nil")
        causes.append(_unsupported("propagationPolicy", f'"{propagation}"', supported))
    _refuse("DeleteOptions", causes)
    if orphan is not None:
        propagation = "Orphan" if orphan else "Background"
    return DeleteOptions(
        dry_run=dry_run,
        propagation=propagation,
        grace=sent.get("gracePeriodSeconds"),
        cascades=orphan is False,
        preconditions=sent.get("preconditions"),
    )


def _delete_body(body: bytes, content_type: str) -> dict[str, Any]:
    if bodies.media_type(content_type) == "application/vnd.kubernetes.protobuf":
        from ecns.embedded.kubernetes import protobuf  # noqa: PLC0415  seldom needed

        decoded: dict[str, Any] = protobuf.decode(body)
        return decoded
    try:
        value = bodies.decode_json(body).value
    except ValueError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from None
    if not isinstance(value, dict):
        sort = {list: "array", str: "string", bool: "bool"}.get(type(value), "number")
        raise bad_request(f"couldn't get version/kind; json parse error: {_NOT_A_STRUCT.format(sort)}")
    kind = value.get("kind", "DeleteOptions")
    if kind != "DeleteOptions":
        version = value.get("apiVersion", "")
        raise bad_request(
            f'no kind "{kind}" is registered for version "{version}" in scheme '
            '"pkg/apis/meta/internalversion/scheme/register.go:27"'
        )
    return value


def check_version(text: str) -> int:
    """The number of a `resourceVersion` in a list; 0 for "".

    Raises:
        ApiError: 400 when it is no number.

    """
    if text.isdigit() or not text:
        return int(text or 0)
    raise bad_request(
        f'invalid resource version: resourceVersion: Invalid value: "{text}": '
        f'strconv.ParseUint: parsing "{text}": invalid syntax'
    )


def too_new(asked: int, current: int, *, soon: bool = True) -> ApiError:
    """504 for a resourceVersion of the future; `soon` tells when to try again."""
    details: dict[str, Any] = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    }
    if soon:
        details["retryAfterSeconds"] = 1
    return ApiError(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {asked}, current: {current}",
        details=details,
        headers={"Retry-After": "1"} if soon else {},
    )
