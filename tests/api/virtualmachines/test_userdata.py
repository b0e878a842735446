"""What machines are told of passwords, beside what they are told anyway."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from email import message_from_string
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecns.api.virtualmachines import passwords, service, userdata
from ecns.api.virtualmachines.types import VirtualMachine
from ecns.errors import BadRequestError
from tests.api.virtualmachines.conftest import machine
from tests.api.virtualmachines.test_templates import RESOLVED

if TYPE_CHECKING:
    from email.message import Message

HASH = "$6$salt$hash"
SCRIPT = "#!/bin/sh\nFrom here\n"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300).map("#!".__add__)


def parts(told: str) -> list[tuple[str, bytes]]:
    """Kind and content of what a machine is given, as cloud-init walks through it."""
    found: list[Message] = [one for one in message_from_string(told).walk() if not one.is_multipart()]
    return [(one.get_content_type(), bytes(one.get_payload(decode=True))) for one in found]


@pytest.mark.parametrize(
    ("password", "expected"),
    [  # by `openssl passwd -6`
        (
            "Hello world!",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        ),
        (
            "pässwörd €",
            "$6$./09AZaz$X6MW6xN3n3NQccse74BlxOPJJd1ZMPCot2a9GNMr0ebeOzVCd2GpSXAxYXtDRUgj2VI3FqUPfd64BBWk1hvGT1",
        ),
        (
            100 * "x",
            "$6$sixteencharacter$VdYhX1rQKkyNHjxH0FwbF6NRfQiqK5iyPeujeDtlkHydsSmqysuv7L57tp.Pk.Z6yNeK9nOLT8wXqJDIoHekR1",
        ),
    ],
)
def test_hashes(password: str, expected: str) -> None:
    assert passwords.hashed(password, salt=expected.split("$")[2]) == expected
    assert len(passwords.hashed(password)) == len(userdata.LONGEST_HASH)


@given(TEXTS)
def test_what_is_sent_arrives_after_the_password(sent: str) -> None:
    (_, ours), (kind, theirs) = parts(userdata.composed(sent, HASH))
    assert kind == "text/plain"
    assert theirs == sent.encode()
    head, _, said = ours.decode().partition("\n")
    assert head == "#cloud-config"
    assert json.loads(said)["password"] == HASH
    assert userdata.composed(sent) == sent


def test_base64_gzip_and_mime() -> None:
    """What is meant arrives, packed as it was."""
    packed = gzip.compress(SCRIPT.encode())
    encoded = base64.encodebytes(packed).decode()
    assert userdata.composed(base64.b64encode(SCRIPT.encode()).decode()) == SCRIPT
    assert parts(userdata.composed(encoded)) == [("application/gzip", packed)]
    assert parts(userdata.composed(encoded, HASH))[1] == ("application/gzip", packed)
    inner = userdata.composed(SCRIPT, "$6$other$one")
    assert [content for _, content in parts(userdata.composed(inner, HASH))][1:] == [
        content for _, content in parts(inner)
    ]
    for plain in ("YWJj", "plain", ""):  # base64 of nothing that cloud-init reads, or none
        assert userdata.composed(plain) == plain


@pytest.mark.parametrize("password", [False, True])
def test_as_long_as_nova_takes(password: bool) -> None:  # noqa: FBT001
    room = userdata.MOST_BYTES - len(userdata.composed("#", userdata.LONGEST_HASH if password else ""))
    userdata.check("#" * (room + 1), "user_data", password=password)
    with pytest.raises(BadRequestError) as refusal:
        userdata.check("#" * (room + 2), "user_data", password=password)
    assert refusal.value.field == "user_data"
    told = userdata.composed("#" * (room + 1), passwords.hashed("secret") if password else "")
    assert len(base64.b64encode(told.encode())) <= 65535


def test_windows_takes_its_password_from_nova() -> None:
    one = msgspec.convert(machine(user_data=SCRIPT), VirtualMachine)
    assert asyncio.run(service.user_data(one, RESOLVED)).startswith("Content-Type: multipart/mixed")
    windows = msgspec.structs.replace(RESOLVED, windows=True)
    assert asyncio.run(service.user_data(one, windows)) == SCRIPT
    keyed = msgspec.convert(machine(user_data=SCRIPT, authentication={"keypair": "mine"}), VirtualMachine)
    assert asyncio.run(service.user_data(keyed, RESOLVED)) == SCRIPT
