"""No message of a cluster tells what is secret."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.secrets.hiding import LEFT_OUT, hiding
from ecns.backends.kubernetes.errors import status_error
from ecns.errors import EcnsError, ForbiddenError

LONG = "-----BEGIN PRIVATE KEY-----\n" + "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49\n" * 40
VALUES = ["hunter2", "x1", LONG, 'quo"ted\\one', "ä secret of words", ""]


def told(error: EcnsError, values: list[str]) -> str:
    """All that a caller would see."""
    with pytest.raises(EcnsError) as caught, hiding(values):
        raise error
    return json.dumps([caught.value.message, str(caught.value), caught.value.details], ensure_ascii=False)


@pytest.mark.parametrize("value", VALUES[:-1])
def test_values_are_hidden_in_every_form(value: str) -> None:
    forms = [value, json.dumps(value, ensure_ascii=False), base64.b64encode(value.encode()).decode()]
    for form in forms:
        said = f'admission webhook "w" denied the request: `{form}` is too weak'
        cause = {"field": "data[x]", "reason": "FieldValueInvalid", "message": said}
        error = ForbiddenError(said, details={"upstream": "cluster eks", "causes": [cause]})
        answer = told(error, VALUES)
        assert "too weak" not in answer
        assert LEFT_OUT in answer
        assert "cluster eks" in answer
        assert "FieldValueInvalid" in answer


def test_a_piece_of_a_long_value_is_hidden_too() -> None:
    for start in range(0, 300, 7):
        said = f"it says {LONG[start : start + 40]}"
        assert "it says" not in told(ForbiddenError(said), VALUES)


@pytest.mark.parametrize(
    "said",
    [
        'cluster eks: secrets "x" is forbidden: exceeded quota: q, requested: count/secrets=1, used: 5',
        "cluster eks: the namespace is being terminated",
    ],
)
def test_other_messages_are_told(said: str) -> None:
    details = {"upstream": "cluster eks", "reason": "Forbidden"}
    answer = told(ForbiddenError(said, details=details), [*VALUES, "1", "is", "a"])
    assert json.dumps(said)[1:-1] in answer


@given(st.text(min_size=4, max_size=60).filter(str.strip))
def test_whatever_is_secret_is_not_told(value: str) -> None:
    said = f"denied: <{value}> {json.dumps(value)}"
    with pytest.raises(EcnsError) as caught, hiding([value]):
        raise ForbiddenError(said)
    assert caught.value.message == f"the cluster refuses it (Forbidden); {LEFT_OUT}"


def test_what_kubernetes_quotes_of_a_secret_is_left_out_where_it_comes_in() -> None:
    status = {
        "kind": "Status",
        "message": 'Secret "x" is invalid: data[a b]: Invalid value: "hunter2": must be a key',
        "reason": "Invalid",
        "details": {
            "kind": "Secret",
            "name": "x",
            "causes": [
                {"field": "data[a]", "message": 'Invalid value: "hunter2": no', "reason": "FieldValueInvalid"}
            ],
        },
    }
    error = status_error("eks", 422, json.dumps(status).encode())
    assert "hunter2" not in json.dumps([error.message, error.details])
