"""ECNS's own account in the cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from ecns.backends.openstack.account import Account
from ecns.errors import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
async def test_a_secret_that_cannot_be_read_is_no_fault_of_a_caller(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    account = Account(cast("Any", None), "id", file)
    with pytest.raises(UnavailableError, match="ECNS's own account"):
        await account.token()
