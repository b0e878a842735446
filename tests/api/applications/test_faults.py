"""Kubernetes fails, or ECNS ends, at every step of a sequence: nothing half-made remains unseen."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ecns.api.applications import manifests
from ecns.api.applications.manifests import COMPANIONS, CONTROLLERS, PART_OF
from ecns.api.applications.types import CreateApplication
from ecns.api.common import marks
from ecns.backends.kubernetes.client import Client
from ecns.backends.kubernetes.errors import status_error
from ecns.backends.kubernetes.kinds.extensions import APPLICATION
from ecns.errors import ConflictError, EcnsError, NotFoundError, UpstreamUnavailableError
from tests.api.applications.bodies import application, workload

if TYPE_CHECKING:
    from tests.api.applications.conftest import Direct

BODY = msgspec.convert(
    application(
        "shop",
        workload("web"),
        workload("db", access_mode=[]),
        configmaps=[{"name": "c", "config": {"a": "b"}}],
    ),
    CreateApplication,
)
WHOLE = {"Deployment/web", "Deployment/db", "Service/web", "ConfigMap/c"}
MOST_STEPS = 40


class KilledError(BaseException):
    """ECNS ends here."""


class Faults:
    """Lets a number of changes pass, then fails.

    Args:
        client: whose requests.
        mode: `refused` one change is not done, `unheard` one is done and its answer is lost, `down` from then
            on nothing is answered, `killed` from then on nothing is asked.
        after: changes that pass before.
    """

    def __init__(self, client: Client, mode: str, after: int) -> None:
        self.mode = mode
        self.left = after
        self.struck = False
        self.real = client.request

    async def request(self, method: str, path: str, **more: Any) -> bytes:
        dry = ("dryRun", "All") in more.get("query", ()) or method == "GET"
        if self.struck and self.mode in {"down", "killed"}:
            raise self._error()
        if dry:
            return await self.real(method, path, **more)
        self.left -= 1
        if self.left >= 0 or self.struck:
            return await self.real(method, path, **more)
        self.struck = True
        if self.mode == "unheard":
            await self.real(method, path, **more)
        raise self._error()

    def _error(self) -> BaseException:
        if self.mode == "killed":
            return KilledError()
        if self.mode == "refused":
            return status_error("eks", 500, b"", {})
        return UpstreamUnavailableError("cluster eks: the connection broke", upstream="cluster eks")


async def there(direct: Direct) -> set[str]:
    """Everything that is part of the application, as the cluster has it."""
    found: set[str] = set()
    for kind in (*CONTROLLERS, *COMPANIONS):
        listing = await direct.cluster.client.list(kind, "apps-direct", labels=f"{PART_OF}=shop")
        found |= {f"{kind.kind}/{one.metadata.name}" for one in listing.items}
    return found


async def stands(direct: Direct) -> Any:
    """The Application, if there is one."""
    listing = await direct.cluster.client.list(APPLICATION, "apps-direct")
    return next((one for one in listing.items if one.metadata.name == "shop"), None)


async def clean(direct: Direct) -> None:
    await direct.applications().delete("shop", frozenset({"all"}))
    async with asyncio.timeout(10):
        while await there(direct):  # noqa: ASYNC110  the cluster tells nobody when it has collected
            await asyncio.sleep(0.01)


async def sweep(direct: Direct) -> None:
    """Remove what has left the application, with what Kubernetes collects after it."""
    client = direct.cluster.client
    async with asyncio.timeout(20):
        left = True
        while left:
            left = False
            for kind in (*CONTROLLERS, *COMPANIONS):
                for one in (await client.list(kind, "apps-direct")).items:
                    if f"{kind.kind}/{one.metadata.name}" in WHOLE:
                        left = True
                        with contextlib.suppress(NotFoundError):
                            await client.delete(kind, one.metadata.name, "apps-direct")


async def struck(
    direct: Direct, monkeypatch: pytest.MonkeyPatch, mode: str, step: int, call: Any
) -> BaseException | None:
    """What a call raises when a fault strikes at a step of it; None when it was over before."""
    faults = Faults(direct.cluster.client, mode, step)
    with monkeypatch.context() as patched:
        patched.setattr(direct.cluster.client, "request", faults.request)
        try:
            await call()
        except (EcnsError, KilledError) as error:
            assert faults.struck
            return error
    assert not faults.struck, "a fault was not told"
    return None


@pytest.mark.parametrize("mode", ["refused", "unheard", "down", "killed"])
async def test_creating(direct: Direct, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    for step in range(MOST_STEPS):
        error = await struck(
            direct, monkeypatch, mode, step, lambda: direct.applications().create(BODY, "eks")
        )
        if error is None:
            break
        left, found = await there(direct), await stands(direct)
        if found is None:
            assert not left, f"step {step}: these belong to nothing that is listed"
        else:
            assert manifests.application_word(found, []) == "Processing", f"step {step}"
        if mode == "refused":
            assert (left, found) == (set(), None), f"step {step}: not all was removed"
        if found is not None and mode != "killed" and step:
            assert "send the same request again" in str(error.message)  # type: ignore[union-attr, attr-defined]  # no KilledError here
        repeated = await direct.applications().create(BODY, "eks")
        assert repeated is not None
        assert await there(direct) == WHOLE, f"step {step}: repeating completes"
        assert not marks.creating(await stands(direct))
        await clean(direct)
    assert step == 6, "the Application, its ConfigMap, two controllers, a Service and the end"
    await clean(direct)


async def test_a_lost_answer_can_be_asked_for_again(direct: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = msgspec.convert(application("shop"), CreateApplication)
    await struck(direct, monkeypatch, "unheard", 0, lambda: direct.applications().create(bare, "eks"))
    assert await stands(direct) is not None
    assert await direct.applications().create(bare, "eks") is not None
    with pytest.raises(ConflictError, match="exists"):
        await direct.applications().create(bare, "eks")
    await clean(direct)


async def test_a_key_answers_with_what_was_made_with_it(direct: Direct) -> None:
    first = await direct.applications().create(BODY, "eks", key="k")
    again = await direct.applications().create(BODY, "eks", key="k")
    assert first is not None
    assert again is not None
    assert first.application_status.creation_time == again.application_status.creation_time
    with pytest.raises(ConflictError, match="exists"):
        await direct.applications().create(BODY, "eks", key="other")
    await clean(direct)


async def test_another_request_does_not_complete_what_was_cut_off(
    direct: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    await struck(direct, monkeypatch, "killed", 3, lambda: direct.applications().create(BODY, "eks"))
    other = msgspec.convert(application("shop", workload("other")), CreateApplication)
    with pytest.raises(ConflictError, match="exists"):
        await direct.applications().create(other, "eks")
    await clean(direct)
    assert await stands(direct) is None, "what was cut off can be deleted, too"


async def test_the_same_request_twice_at_once_makes_it_once(direct: Direct) -> None:
    both = await asyncio.gather(
        *(direct.applications().create(BODY, "eks") for _ in range(2)), return_exceptions=True
    )
    made, refused = sorted(both, key=lambda one: isinstance(one, BaseException))
    assert not isinstance(made, BaseException)
    assert isinstance(refused, ConflictError)
    assert await there(direct) == WHOLE
    await clean(direct)


@pytest.mark.parametrize("parts", [set(), {"workload"}, {"workload", "service"}, {"all"}])
async def test_deleting(direct: Direct, monkeypatch: pytest.MonkeyPatch, parts: set[str]) -> None:
    for step in range(MOST_STEPS):
        await direct.applications().create(BODY, "eks")
        call = lambda: direct.applications().delete("shop", frozenset(parts))  # noqa: E731  called once
        error = await struck(direct, monkeypatch, "refused", step, call)
        if error is not None:
            assert await stands(direct) is not None, f"step {step}: it must stay until all else is done"
            await call()
        assert await stands(direct) is None
        assert await there(direct) == set()
        await sweep(direct)
        if error is None:
            break
    assert step >= len(parts), "faults struck at every step"


@pytest.mark.parametrize("action", ["stop", "recreate"])
async def test_acting_goes_on_for_the_others(
    direct: Direct, monkeypatch: pytest.MonkeyPatch, action: Any
) -> None:
    await direct.applications().create(BODY, "eks")
    error = await struck(direct, monkeypatch, "refused", 0, lambda: direct.applications().act("shop", action))
    assert isinstance(error, EcnsError)
    assert error.message.startswith("1 of 2 workloads could not be done")
    assert len(error.details["workloads"]) == 1
    await direct.applications().act("shop", action)
    await clean(direct)
