"""What services refuse with, in the shapes that they really use."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.backends.common.errors import MESSAGE_LIMIT
from ecns.backends.openstack import errors
from ecns.errors import (
    BadRequestError,
    ConflictError,
    EcnsError,
    ForbiddenError,
    NotFoundError,
    NotSupportedError,
    PayloadTooLargeError,
    TooManyRequestsError,
    UnauthorizedError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)

ID = {"x-openstack-request-id": "req-1"}
GLANCE = """<html>
 <head>
  <title>404 Not Found</title>
 </head>
 <body>
  <h1>404 Not Found</h1>
  Failed to find image a&amp;b<br /><br />
 </body>
</html>"""


@pytest.mark.parametrize(
    ("body", "message", "kind"),
    [
        # Nova and Cinder
        (
            {"itemNotFound": {"code": 404, "message": "Flavor x could not be found."}},
            "Flavor x could not be found.",
            "itemNotFound",
        ),
        (
            {"computeFault": {"code": 500, "message": "Unexpected API Error."}},
            "Unexpected API Error.",
            "computeFault",
        ),
        # Neutron
        (
            {"NeutronError": {"type": "SubnetInUse", "message": "Unable to complete", "detail": ""}},
            "Unable to complete",
            "SubnetInUse",
        ),
        ({"NeutronError": "The resource could not be found."}, "The resource could not be found.", ""),
        # Octavia
        (
            {"faultcode": "Client", "faultstring": "Load Balancer x not found.", "debuginfo": None},
            "Load Balancer x not found.",
            "",
        ),
        # Heat
        (
            {
                "explanation": "The resource could not be found.",
                "code": 404,
                "error": {
                    "message": "The Stack (a) could not be found.",
                    "traceback": None,
                    "type": "EntityNotFound",
                },
                "title": "Not Found",
            },
            "The Stack (a) could not be found.",
            "EntityNotFound",
        ),
        # Keystone and its middleware
        (
            {"error": {"code": 401, "title": "Unauthorized", "message": "The request you have made"}},
            "The request you have made",
            "",
        ),
        # Placement
        (
            {
                "errors": [
                    {
                        "status": 404,
                        "title": "Not Found",
                        "detail": "No resource provider",
                        "request_id": "req",
                    }
                ]
            },
            "No resource provider",
            "",
        ),
        # Glance in JSON
        (
            {
                "message": "You are not authorized<br /><br />\n\n",
                "code": "403 Forbidden",
                "title": "Forbidden",
            },
            "You are not authorized",
            "",
        ),
        ("a string", "a string", ""),
        ([], "", ""),
        (None, "", ""),
        (7, "", ""),
        ({"error": {"message": None}}, "", ""),
        ({"a": {}, "b": [{}], "message": "  "}, "", ""),
    ],
)
def test_the_message_is_found(body: Any, message: str, kind: str) -> None:
    assert errors.described(json.dumps(body).encode()) == (message, kind)


def test_html_becomes_a_line_of_text() -> None:
    assert errors.described(GLANCE.encode()) == ("404 Not Found Failed to find image a&b", "")
    assert errors.described(b"\xff\xfe<script>alert(1)</script> Bad\x00Gateway")[0].endswith("Bad Gateway")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (422, BadRequestError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (406, NotSupportedError),
        (409, ConflictError),
        (413, PayloadTooLargeError),
        (429, TooManyRequestsError),
        (500, UpstreamError),
        (501, NotSupportedError),
        (502, UpstreamUnavailableError),
        (503, UpstreamUnavailableError),
        (504, UpstreamTimeoutError),
        (599, UpstreamError),
        (300, UpstreamInvalidError),
        (302, UpstreamInvalidError),
        (418, UpstreamInvalidError),
    ],
)
def test_each_status_is_an_error_of_its_kind(status: int, kind: type[EcnsError]) -> None:
    error = errors.refusal("Nova", "nova", status, ID, b'{"fault": {"message": "because"}}')
    assert type(error) is kind
    assert "Nova" in error.message
    assert error.details["upstream"] == "nova"
    assert error.details["upstream_request_id"] == "req-1"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (
            403,
            {
                "forbidden": {
                    "code": 403,
                    "message": "Quota exceeded for cores: Requested 1, but already used",
                }
            },
        ),
        (
            413,
            {
                "overLimit": {
                    "code": 413,
                    "message": "VolumeSizeExceedsAvailableQuota: Requested volume exceeds quota",
                }
            },
        ),
        (
            409,
            {"NeutronError": {"type": "OverQuota", "message": "Quota exceeded for resources: ['network']."}},
        ),
        (403, {"faultcode": "Client", "faultstring": "Quota has been met for resources: Load Balancer"}),
    ],
)
def test_a_used_up_quota_is_the_same_everywhere(status: int, body: Any) -> None:
    error = errors.refusal("It", "it", status, {"Retry-After": "0"}, json.dumps(body).encode())
    assert isinstance(error, ForbiddenError)
    assert error.details["reason"] == errors.QUOTA


def test_when_to_come_back() -> None:
    for status, kind in (
        (413, TooManyRequestsError),
        (429, TooManyRequestsError),
        (503, UpstreamUnavailableError),
    ):
        error = errors.refusal("It", "it", status, {"Retry-After": "17"}, b"")
        assert isinstance(error, kind)
        assert error.headers["Retry-After"] == "17"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.integers(300, 599), JSON.map(lambda told: json.dumps(told).encode()) | st.binary())
def test_whatever_is_answered_is_an_error_of_ours(status: int, body: bytes) -> None:
    error = errors.refusal("It", "it", status, {}, body)
    assert isinstance(error, EcnsError)
    assert len(error.message) < MESSAGE_LIMIT + 50
    assert "\n" not in error.message
