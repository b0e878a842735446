from __future__ import annotations

import json
import ssl

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecns.backends.kubernetes.errors import (
    MESSAGE_LIMIT,
    ExpiredError,
    NotServedError,
    status_error,
    transport_error,
)
from ecns.errors import (
    BadRequestError,
    ConflictError,
    EcnsError,
    ForbiddenError,
    NotFoundError,
    TooManyRequestsError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from tests.backends.kubernetes.server import recorded

EXPECTED = {
    400: 400,
    401: 502,
    404: 404,
    405: 405,
    406: 502,
    409: 409,
    410: 410,
    413: 413,
    415: 502,
    422: 400,
    429: 429,
    500: 502,
    504: 504,
}


@pytest.mark.parametrize("exchange", recorded("refusals.jsonl").values(), ids=lambda exchange: exchange["id"])
def test_what_a_real_server_refused_with(exchange: dict[str, object]) -> None:
    response = exchange["response"]
    assert isinstance(response, dict)
    body = response["body"]
    code = response["status"]
    data = json.dumps(body).encode() if isinstance(body, dict) else (body or "").encode()
    error = status_error("east", code, data, response["headers"], impersonated=True)
    if isinstance(error, NotServedError):
        assert code == 404
        assert "name" not in ((body or {}).get("details") or {} if isinstance(body, dict) else {})
    else:
        assert error.status == (
            403 if code == 403 and "impersonate" not in error.message else EXPECTED.get(code, 502)
        )
    assert "cluster east" in error.message
    assert error.details["upstream"] == "cluster east"
    if isinstance(body, dict) and code != 401:
        if code not in {406, 415}:
            assert error.message.endswith(body["message"].partition(", error found in")[0])
        assert error.details.get("reason", "") == body.get("reason", "")
    if isinstance(body, dict) and code == 422 and isinstance(error, BadRequestError):
        causes = (body.get("details") or {}).get("causes") or []
        assert [cause["field"] for cause in error.details.get("causes", [])] == [
            cause["field"] for cause in causes if cause.get("message") or cause.get("field")
        ]
        if causes:
            assert error.field


def refusal(code: int, message: str, *, impersonated: bool = False, **details: object) -> EcnsError:
    body = {"kind": "Status", "message": message, "reason": "Some", "details": details}
    return status_error("east", code, json.dumps(body).encode(), impersonated=impersonated)


def test_missing_rights_are_the_callers_only_when_made_as_the_caller() -> None:
    rights = 'pods is forbidden: User "x" cannot list resource "pods" in API group ""'
    assert isinstance(refusal(403, rights, impersonated=True), ForbiddenError)
    own = refusal(403, rights)
    assert isinstance(own, UpstreamError)
    assert "ECNS's own credentials lack the right" in own.message
    acting = 'users "a" is forbidden: User "ecns" cannot impersonate resource "users" in API group ""'
    assert isinstance(refusal(403, acting, impersonated=True), UpstreamError)
    quota = 'pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1'
    assert isinstance(refusal(403, quota), ForbiddenError)


def test_messages_are_capped_and_hold_no_secrets() -> None:
    assert len(refusal(422, "x" * 100_000).message) < MESSAGE_LIMIT + 50
    bad = 'Secret "s" is invalid: data[a]: Invalid value: "hunter\\"2": no'
    error = refusal(
        422, bad, kind="Secret", causes=[{"field": "data[a]", "message": 'Invalid value: "hunter2": no'}]
    )
    assert "hunter" not in error.message + json.dumps(error.details)
    assert error.details["field"] == "data[a]"
    quoted = 'cannot be handled as a Secret: bad, error found in #10 byte of ...|"hunter2"|...'
    assert "hunter" not in refusal(400, quoted).message
    assert "\x1b" not in refusal(400, "\x1b[31mred").message


def test_what_another_service_has_is_a_conflict() -> None:
    port = {
        "field": "spec.ports[0].nodePort",
        "message": "Invalid value: 30123: provided port is already allocated",
    }
    address = {
        "field": "spec.clusterIPs",
        "message": "failed to allocate IP 10.96.7.7: provided IP is already allocated",
    }
    other = {"field": "spec.ports[1].port", "message": "Invalid value: 0: must be between 1 and 65535"}
    assert type(refusal(422, "taken", causes=[port])) is ConflictError
    assert type(refusal(422, "taken", causes=[port, address])) is ConflictError
    assert type(refusal(422, "taken and wrong", causes=[port, other])) is BadRequestError


def test_waiting_times() -> None:
    error = status_error("east", 429, b"{}", {"Retry-After": "7"})
    assert isinstance(error, TooManyRequestsError)
    assert error.headers == {"Retry-After": "7"}
    assert refusal(429, "busy", retryAfterSeconds=3).headers == {"Retry-After": "3"}
    assert refusal(503, "starting", retryAfterSeconds=4).headers == {"Retry-After": "4"}


@settings(max_examples=100)
@given(
    st.integers(300, 599),
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: json.dumps({"kind": "Status", "message": text}).encode()),
)
def test_whatever_is_answered_is_an_error_of_ours(code: int, body: bytes) -> None:
    error = status_error("east", code, body)
    assert error.status != 500
    assert "cluster east" in error.message


@pytest.mark.parametrize(
    ("raised", "expected", "words"),
    [
        (TimeoutError(), UpstreamTimeoutError, "did not answer in time; whether it was done is not known"),
        (
            aiohttp.ServerDisconnectedError(),
            UpstreamUnavailableError,
            "connection broke; whether it was done",
        ),
        (ConnectionResetError(), UpstreamUnavailableError, "connection broke"),
        (ssl.SSLError(1, "wrong version"), UpstreamUnavailableError, "no TLS connection"),
        (json.JSONDecodeError("no", "", 0), UpstreamInvalidError, "answered nonsense"),
    ],
)
def test_no_answer(raised: Exception, expected: type[EcnsError], words: str) -> None:
    error = transport_error("east", raised, sent=True)
    assert type(error) is expected
    assert words in error.message
    assert "cluster east" in error.message


def test_kinds_and_objects_that_are_not_there() -> None:
    assert type(refusal(404, 'pods "x" not found', name="x")) is NotFoundError
    assert type(refusal(404, "the server could not find the requested resource")) is NotServedError
    assert type(refusal(409, "exists")) is ConflictError
    assert type(refusal(410, "old")) is ExpiredError


UNKNOWN = "field not declared in schema"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (f"failed to create typed patch object (/c; /v1, Kind=ConfigMap): .nosuch: {UNKNOWN}", "nosuch"),
        (
            f"failed to create typed patch object (/d; v1, Kind=D): errors:\n  .spec.a: {UNKNOWN}\n",
            "spec.a",
        ),
        ("failed to convert new typed object (/s; /v1, Kind=Secret) to object: illegal base64 data", ""),
    ],
)
def test_what_server_side_apply_cannot_take_is_the_senders_mistake(message: str, field: str) -> None:
    body = json.dumps({"kind": "Status", "status": "Failure", "message": message, "code": 500}).encode()
    error = status_error("east", 500, body)
    assert isinstance(error, BadRequestError)
    assert error.field == field
    assert "not declared" in error.message or "base64" in error.message


def test_what_is_secret_is_not_told_by_server_side_apply() -> None:
    message = (
        "failed to create typed patch object (/s; /v1, Kind=Secret): .data.a: expected string, got "
        '&value.valueUnstructured{Value:"hunter2"}'
    )
    body = json.dumps({"kind": "Status", "status": "Failure", "message": message, "code": 500}).encode()
    error = status_error("east", 500, body)
    assert "hunter2" not in error.message
    assert error.details["field"] == "data.a"
