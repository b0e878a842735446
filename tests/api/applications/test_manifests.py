from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecns.api.applications import installation, manifests
from ecns.api.applications.types import Application, VmNetwork
from ecns.api.common import marks
from ecns.api.common.names import CREATING, PART_OF
from ecns.backends.kubernetes.kinds import extensions
from ecns.backends.kubernetes.kinds.extensions import APPLICATION
from tests.api.applications.bodies import VM_NETWORK

NETWORK = msgspec.convert(VM_NETWORK, VmNetwork)


def stored(obj: dict[str, Any], **metadata: Any) -> extensions.Application:
    """An object as it comes back."""
    whole = {**obj, "metadata": {**obj["metadata"], **metadata}}
    return msgspec.json.decode(msgspec.json.encode(whole), type=APPLICATION.type)


@given(
    st.text("abc123", min_size=1, max_size=63),
    st.none() | st.text(min_size=1),
    st.sampled_from(["Normal", "Hybrid"]),
    st.none() | st.builds(VmNetwork, **dict.fromkeys(VM_NETWORK, st.text())),
)
@settings(max_examples=25)
def test_what_is_sent_is_shown(name: str, description: str | None, kind: Any, network: Any) -> None:
    sent = Application(name=name, description=description, type=kind, vm_network=network)
    assert manifests.application(stored(manifests.application_object(sent, "shop"))) == sent


def test_an_application_that_somebody_else_made_is_shown() -> None:
    foreign = {
        "metadata": {"name": "wp", "annotations": {manifests.VM_NETWORK: "{nonsense"}},
        "spec": {"descriptor": {"type": "wordpress", "version": "4.9", "links": [{"url": "http://x"}]}},
    }
    assert manifests.application(stored(foreign)) == Application(name="wp", type="Normal")
    assert manifests.application(stored({"metadata": {"name": "bare"}})).name == "bare"


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ([], "No workload"),
        (["Stopped", "Stopped"], "Stopped"),
        (["Running"], "Running"),
        (["Running", "Stopped"], "Running"),
        (["Running", "Pending"], "Processing"),
        (["Removing"], "Processing"),
        (["Running", "Failed"], "Unready"),
        (["Pending", "Failed"], "Unready"),
        (["Unknown"], "Unready"),
    ],
)
def test_the_state_of_an_application_is_that_of_its_workloads(members: list[str], word: str) -> None:
    found = stored({"metadata": {"name": "a"}})
    assert manifests.application_word(found, members) == word


@pytest.mark.parametrize(
    "metadata", [{"deletionTimestamp": "2026-01-01T00:00:00Z"}, {"labels": {CREATING: "x"}}]
)
def test_an_application_under_way_is_processing(metadata: dict[str, Any]) -> None:
    assert manifests.application_word(stored({"metadata": {"name": "a"}}, **metadata), []) == "Processing"


def test_another_request_has_another_digest() -> None:
    sent = Application(name="a", vm_network=NETWORK)
    assert marks.digest(sent) == marks.digest(Application(name="a", vm_network=NETWORK))
    assert marks.digest(sent) != marks.digest(Application(name="a"))
    assert marks.digest(sent) != marks.digest(sent, "key")


def test_who_leaves_is_left_alone_otherwise() -> None:
    whole = {"metadata": {"labels": {PART_OF: "a", "tier": "web"}}}
    assert marks.detach(whole, "a") == [
        {"op": "test", "path": "/metadata/labels/app.kubernetes.io~1part-of", "value": "a"},
        {"op": "remove", "path": "/metadata/labels/app.kubernetes.io~1part-of"},
    ]
    assert marks.detach(whole, "b") == []
    assert marks.detach({"metadata": {}}, "a") == []


def test_the_definition_knows_every_field_that_is_written() -> None:
    definition, *roles = installation.documents()
    assert definition["metadata"]["name"] == APPLICATION.resource
    names, version = definition["spec"]["names"], definition["spec"]["versions"][0]
    assert (names["plural"], names["kind"], version["name"]) == ("applications", "Application", "v1beta1")
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    written = manifests.application_object(Application(name="a", description="d"), "shop")["spec"]
    assert written.keys() <= spec.keys()
    assert "addOwnerRef" not in written, "members must stay when the Application alone goes"
    joined = {label.rsplit("-", 1)[1] for role in roles for label in role["metadata"]["labels"]}
    assert {"admin", "edit", "view"} <= joined
