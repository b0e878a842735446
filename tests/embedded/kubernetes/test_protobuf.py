from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.embedded.kubernetes.errors import ApiError, Object
from ecns.embedded.kubernetes.protobuf import decode

META = b'\x12\x00\x1a\x00"\x00*\x002\x008\x00B\x00'
TAIL = b'\x1a\x00"\x00'


def pruned(value: object) -> object:
    """Without what is empty, as the server keeps it."""
    if isinstance(value, dict):
        return {key: pruned(item) for key, item in value.items() if item not in ("", None, 0, False)}
    return [pruned(item) for item in value] if isinstance(value, list) else value


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def envelope(api_version: str, kind: str, content: bytes) -> bytes:
    type_meta = field(1, api_version.encode()) + field(2, kind.encode())
    return b"k8s\x00" + field(1, type_meta) + field(2, content) + TAIL


# What kubectl 1.37 sends.
SENT = {
    "create namespace x": (
        b"k8s\x00\n\x0f\n\x02v1\x12\tNamespace\x12\x19\n\x11\n\x01x"
        + META
        + b"\x12\x00\x1a\x02\n\x00"
        + TAIL,
        {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "x"}, "spec": {}},
    ),
    "create configmap c --from-literal=a=b": (
        b"k8s\x00\n\x0f\n\x02v1\x12\tConfigMap\x12\x1b\n\x11\n\x01c"
        + META
        + b"\x12\x06\n\x01a\x12\x01b"
        + TAIL,
        {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c"}, "data": {"a": "b"}},
    ),
    "create role r --verb=get --resource=pods": (
        b'k8s\x00\n$\n\x1crbac.authorization.k8s.io/v1\x12\x04Role\x12"\n\x11\n\x01r'
        + META
        + b"\x12\r\n\x03get\x12\x00\x1a\x04pods"
        + TAIL,
        {
            "kind": "Role",
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "metadata": {"name": "r"},
            "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
        },
    ),
    "create quota q --hard=pods=3": (
        b"k8s\x00\n\x13\n\x02v1\x12\rResourceQuota\x12$\n\x11\n\x01q"
        + META
        + b"\x12\r\n\x0b\n\x04pods\x12\x03\n\x013\x1a\x00"
        + TAIL,
        {
            "kind": "ResourceQuota",
            "apiVersion": "v1",
            "metadata": {"name": "q"},
            "spec": {"hard": {"pods": "3"}},
        },
    ),
    "create deployment web --image=nginx": (
        b"k8s\x00\n\x15\n\x07apps/v1\x12\nDeployment\x12\xab\x01\n\x1f\n\x03web"
        + META
        + b"Z\n\n\x03app\x12\x03web\x12z\x08\x01\x12\x0c\n\n\n\x03app\x12\x03web\x1a`\n\x1c\n\x00"
        + META
        + b'Z\n\n\x03app\x12\x03web\x12@\x12"\n\x05nginx\x12\x05nginx*\x00B\x00j\x00r\x00\x80\x01\x00'
        + b"\x88\x01\x00\x90\x01\x00\xa2\x01\x00"
        + b"\x1a\x002\x00B\x00J\x00R\x00X\x00`\x00h\x00\x82\x01\x00\x8a\x01\x00"
        + b'\x9a\x01\x00\xc2\x01\x00"\x02\n\x00(\x008\x00\x1a\x0c\x08\x00\x10\x00\x18\x00 \x00(\x008\x00'
        + TAIL,
        {
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": {"name": "web", "labels": {"app": "web"}},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "nginx", "image": "nginx", "resources": {}}]},
                },
                "strategy": {},
            },
        },
    ),
}


@pytest.mark.parametrize("command", SENT)
def test_what_kubectl_sends(command: str) -> None:
    data, expected = SENT[command]
    assert pruned(decode(data)) == expected


def test_bytes_numbers_times_and_inlined_messages() -> None:
    secret = decode(envelope("v1", "Secret", field(2, field(1, b"k") + field(2, b"\xff\x00"))))
    assert secret["data"] == {"k": "/wA="}
    budget = envelope("policy/v1", "PodDisruptionBudget", field(2, field(1, b"\x08\x01\x10\x00\x1a\x0350%")))
    assert decode(budget)["spec"] == {"minAvailable": "50%"}
    probe = field(1, field(2, field(2, b"\x08\x00\x10\x50\x1a\x00"))) + b"\x10\x05"
    pod = decode(envelope("v1", "Pod", field(2, field(2, field(10, probe)))))
    readiness: Object = pod["spec"]["containers"][0]["livenessProbe"]
    assert readiness == {"httpGet": {"port": 80}, "initialDelaySeconds": 5}
    priority = envelope("scheduling.k8s.io/v1", "PriorityClass", b"\x10" + b"\xff" * 9 + b"\x01")
    assert decode(priority)["value"] == -1
    created = field(1, field(8, b"\x08\x80\xd6\xa7\xd0\x06"))
    assert decode(envelope("v1", "Pod", created))["metadata"] == {"creationTimestamp": "2026-05-17T16:21:20Z"}


def test_a_kind_that_is_not_understood_is_refused_with_advice() -> None:
    with pytest.raises(ApiError) as caught:
        decode(envelope("apps/v1", "DaemonSet", b""))
    assert caught.value.code == 415
    assert caught.value.message.endswith("send it as application/json")


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    for body in (data, b"k8s\x00" + data, envelope("v1", "Pod", data)):
        with suppress(ApiError):
            assert decode(body)["kind"]
