from __future__ import annotations

import pytest

from ecns.embedded.kubernetes.errors import ApiError
from ecns.embedded.kubernetes.negotiation import YAML, Representation, encode, negotiate

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Representation()),
        ("*/*", Representation()),
        ("application/yaml", Representation(YAML)),
        ("text/html,application/json;q=0.5", Representation()),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Representation()),
        ("application/json;q=0.2, application/yaml;q=0.9", Representation(YAML)),
        ("application/json;charset=utf-8", Representation()),
        ("application/vnd.kubernetes.protobuf,application/json", Representation()),
        (f"{TABLE},application/json", Representation(kind="Table", group="meta.k8s.io", version="v1")),
        ("application/json;as=Nosuch;g=meta.k8s.io;v=v1,application/json", Representation()),
    ],
)
def test_the_first_that_can_be_written(accept: str, expected: Representation) -> None:
    assert negotiate(accept) == expected


@pytest.mark.parametrize(
    ("accept", "message"),
    [
        ("text/html", "406: Not Acceptable\n\nAvailable representations: application/json, "),
        ("application/json;as=Nosuch;g=meta.k8s.io;v=v1", "only the following media types are accepted: "),
        ("application/vnd.kubernetes.protobuf", "only the following media types are accepted: "),
    ],
)
def test_what_cannot_be_written_is_not_acceptable(accept: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        negotiate(accept)
    assert caught.value.code == 406
    assert caught.value.message.startswith(message)


def test_yaml_is_written_as_kubernetes_writes_it() -> None:
    shared = ["kubernetes"]
    value = {"b": {"version": "25", "yes": "true"}, "a": shared, "c": shared, "t": "1\n2\n", "e": {}}
    assert encode(value, YAML).decode() == (
        'a:\n- kubernetes\nb:\n  version: "25"\n  "yes": "true"\nc:\n- kubernetes\ne: {}\nt: |\n  1\n  2\n'
    )
