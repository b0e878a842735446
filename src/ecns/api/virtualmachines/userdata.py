"""User data of machines: what was sent, and the cloud-config that sets their password; pure.

Nova hands a password on as `adminPass`, which cloudbase-init takes and cloud-init does not. So cloud-init is
told too, with a hash: the password of root and of the image's own user, and that sshd takes passwords.

Sources: https://docs.cloud-init.io/en/latest/explanation/format.html and its module `Set Passwords`;
https://docs.openstack.org/api-ref/compute/ (`user_data`).
"""

from __future__ import annotations

import base64
import binascii
import json
from email import message_from_bytes, policy
from email.message import Message
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart

from ecns.errors import BadRequestError

MOST_BYTES = 65535 // 4 * 3
"""Nova takes 65,535 characters of base64."""
LONGEST_HASH = "$6$" + 16 * "s" + "$" + 86 * "h"
_GZIP = b"\x1f\x8b"
_MIME = (b"content-type:", b"mime-version:")
_MANNERS = policy.compat32.clone(mangle_from_=False, max_line_length=None)


def composed(sent: str, password_hash: str = "") -> str:
    """What a machine is given.

    Args:
        sent: by the user: anything that cloud-init reads, as text or in base64; what is gzip only so.
        password_hash: as /etc/shadow has it; empty: the user data say nothing of passwords.
    """
    own = _decoded(sent)
    binary = own.startswith(_GZIP)
    if not password_hash and not binary:
        return own.decode()
    parts = [_text(_passwords(password_hash))] if password_hash else []
    if own:
        parts.append(_part(own))
    # What the user says comes last: of what is said twice cloud-init takes the last.
    return _whole(parts)


def check(sent: str, at: str, *, password: bool) -> None:
    """See that Nova takes what a machine is given.

    Raises:
        BadRequestError: it is too long.
    """
    size = len(composed(sent, LONGEST_HASH if password else "").encode())
    if size > MOST_BYTES:
        more = size - MOST_BYTES
        raise BadRequestError(
            f"{at}: {more} bytes too many; Nova takes {MOST_BYTES} of a machine, its password's part counted",
            field=at,
        )


def _passwords(password_hash: str) -> str:
    """Of the image's own user, whatever it is called (`password`), and of root."""
    root = {"name": "root", "lock_passwd": False, "hashed_passwd": password_hash}
    said = {
        "password": password_hash,
        "chpasswd": {"expire": False},
        "users": ["default", root],
        "ssh_pwauth": True,
    }
    return f"#cloud-config\n{json.dumps(said)}\n"


def _decoded(sent: str) -> bytes:
    """What is meant: all that cloud-init reads begins with what base64 never has."""
    try:
        found = base64.b64decode("".join(sent.split()), validate=True)
    except (binascii.Error, ValueError):
        return sent.encode()
    if found.startswith((_GZIP, b"#")) or found.lower().startswith(_MIME):
        return found if found.startswith(_GZIP) or _is_text(found) else sent.encode()
    return sent.encode()


def _is_text(found: bytes) -> bool:
    try:
        found.decode()
    except UnicodeDecodeError:
        return False
    return True


def _part(own: bytes) -> Message:
    if own.startswith(_GZIP):
        return MIMEApplication(own, "gzip")
    if own.lower().startswith(_MIME):
        return message_from_bytes(own)
    return _text(own.decode())


def _text(text: str) -> Message:
    """A part of whose kind its first line tells: so cloud-init takes `text/plain`."""
    part = MIMENonMultipart("text", "plain", charset="utf-8")
    if text.isascii() and "\r" not in text:
        part["Content-Transfer-Encoding"] = "7bit"
        part.set_payload(text)
    else:
        part["Content-Transfer-Encoding"] = "base64"
        part.set_payload(base64.encodebytes(text.encode()).decode())
    return part


def _whole(parts: list[Message]) -> str:
    whole = MIMEMultipart()
    for part in parts:
        whole.attach(part)
    return whole.as_string(policy=_MANNERS)
