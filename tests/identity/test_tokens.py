from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from ecns.backends.common import recent
from ecns.backends.openstack.keystone import Owned, Ref, Token
from ecns.errors import EcnsError, ForbiddenError, UnauthorizedError, UpstreamUnavailableError
from ecns.identity import tokens
from ecns.identity.tokens import REFUSED_SECONDS, TokenChecker

DOMAIN = Ref("default", "Default")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def monotonic(self) -> float:
        return self.now - 500_000

    def time(self) -> float:
        return self.now


class Asked:
    """A Keystone that counts, and answers what it is told to, when it is told to."""

    def __init__(self, clock: Clock) -> None:
        self.challenge = {"WWW-Authenticate": 'Keystone uri="http://keystone/v3"'}
        self.clock = clock
        self.count = 0
        self.asked = asyncio.Event()
        self.answer: Token | EcnsError = token(clock.now + 3600)
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def validate(self, _: str) -> Token:
        self.count += 1
        self.asked.set()
        answer = self.answer
        await self.may_answer.wait()
        if isinstance(answer, EcnsError):
            raise answer
        return answer


def token(expires_at: float, **fields: Any) -> Token:
    body = Token(
        user=Owned("u1", "ann", DOMAIN),
        expires_at=datetime.fromtimestamp(expires_at, UTC),
        project=Owned("p1", "demo", DOMAIN),
        roles=(Ref("r1", "Member"),),
    )
    return msgspec.structs.replace(body, **fields)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(tokens, "time", made)
    monkeypatch.setattr(recent, "time", made)
    return made


@pytest.fixture
async def keystone(clock: Clock) -> Asked:
    return Asked(clock)


@pytest.fixture
def checker(keystone: Asked) -> TokenChecker:
    return TokenChecker(keystone, cache_seconds=30)  # type: ignore[arg-type]


async def test_a_caller_is_told_whole_and_its_token_is_not_shown(checker: TokenChecker) -> None:
    caller = await checker.check("secret-token")
    assert (caller.user_name, caller.project_name, caller.roles) == ("ann", "demo", ("member",))
    assert caller.credentials == {
        "user_id": "u1",
        "user_domain_id": "default",
        "project_id": "p1",
        "project_domain_id": "default",
        "roles": ["member"],
    }
    assert "secret-token" not in repr(caller)
    assert "secret-token" not in caller.token_digest
    assert caller.expires_at == 1_003_600


async def test_many_at_a_time_are_one_question(checker: TokenChecker, keystone: Asked) -> None:
    keystone.may_answer.clear()
    checks = [asyncio.create_task(checker.check("same")) for _ in range(50)]
    await asyncio.sleep(0)
    keystone.may_answer.set()
    callers = await asyncio.gather(*checks)
    assert keystone.count == 1
    assert len({id(caller) for caller in callers}) == 1


async def test_who_goes_away_does_not_take_the_answer_along(checker: TokenChecker, keystone: Asked) -> None:
    keystone.may_answer.clear()
    first, second = (asyncio.create_task(checker.check("same")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    keystone.may_answer.set()
    assert (await second).user_id == "u1"
    assert first.cancelled()
    assert keystone.count == 1


async def test_a_failure_that_nobody_waits_for_is_not_an_error_of_the_loop(
    checker: TokenChecker, keystone: Asked
) -> None:
    keystone.answer = UpstreamUnavailableError("down", upstream="keystone")
    keystone.may_answer.clear()
    only = asyncio.create_task(checker.check("same"))
    await asyncio.sleep(0)
    only.cancel()
    keystone.may_answer.set()
    await asyncio.gather(only, return_exceptions=True)
    keystone.answer = token(keystone.clock.now + 60)
    assert await checker.check("same")


async def test_the_cache_counts_from_the_question(
    checker: TokenChecker, keystone: Asked, clock: Clock
) -> None:
    keystone.may_answer.clear()
    check = asyncio.create_task(checker.check("slow"))
    await keystone.asked.wait()
    clock.now += 20
    keystone.may_answer.set()
    await check
    clock.now += 9.9
    await checker.check("slow")
    assert keystone.count == 1
    clock.now += 0.1
    await checker.check("slow")
    assert keystone.count == 2


async def test_refusals_are_remembered_for_a_moment(
    checker: TokenChecker, keystone: Asked, clock: Clock
) -> None:
    keystone.answer = UnauthorizedError("no", headers=keystone.challenge)
    for _ in range(5):
        with pytest.raises(UnauthorizedError) as refused:
            await checker.check("bad")
        assert refused.value.headers == keystone.challenge
    assert keystone.count == 1
    clock.now += REFUSED_SECONDS
    keystone.answer = token(clock.now + 60)
    assert await checker.check("bad")


async def test_a_keystone_that_is_down_is_asked_again(checker: TokenChecker, keystone: Asked) -> None:
    keystone.answer = UpstreamUnavailableError("down", upstream="keystone")
    with pytest.raises(UpstreamUnavailableError):
        await checker.check("good")
    keystone.answer = token(keystone.clock.now + 60)
    assert await checker.check("good")


@pytest.fixture
async def patient(keystone: Asked) -> TokenChecker:
    """One that goes on without Keystone, for someone who has been accepted."""
    made = TokenChecker(keystone, cache_seconds=30, outage_seconds=300)  # type: ignore[arg-type]
    await made.check("good")
    return made


async def test_an_outage_of_keystone_keeps_nobody_out_who_was_in(
    patient: TokenChecker, keystone: Asked, clock: Clock
) -> None:
    clock.now += 30
    keystone.answer = UpstreamUnavailableError("down", upstream="keystone")
    assert (await patient.check("good")).user_id == "u1"
    with pytest.raises(UpstreamUnavailableError):
        await patient.check("unknown")
    clock.now += 299
    assert await patient.check("good")
    clock.now += 1
    with pytest.raises(UpstreamUnavailableError):
        await patient.check("good")


async def test_nobody_who_was_in_waits_for_a_keystone_that_hangs(
    patient: TokenChecker, keystone: Asked, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "PATIENCE_SECONDS", 0.01)
    clock.now += 30
    keystone.may_answer.clear()
    assert await patient.check("good")  # after its patience
    monkeypatch.setattr(tokens, "PATIENCE_SECONDS", 1e9)
    callers = await asyncio.wait_for(asyncio.gather(*(patient.check("good") for _ in range(20))), 5)
    assert {caller.user_id for caller in callers} == {"u1"}
    assert keystone.count == 2

    keystone.may_answer.set()
    await asyncio.gather(*patient._asking.values())
    assert await patient.check("good")
    assert keystone.count == 2


async def test_what_keystone_refuses_after_an_outage_is_out(
    patient: TokenChecker, keystone: Asked, clock: Clock
) -> None:
    clock.now += 30
    keystone.answer = UpstreamUnavailableError("down", upstream="keystone")
    assert await patient.check("good")
    keystone.answer = UnauthorizedError("no")
    with contextlib.suppress(UnauthorizedError):  # nobody waits for who was silent
        await patient.check("good")
        await asyncio.gather(*patient._asking.values(), return_exceptions=True)
    for _ in range(2):
        with pytest.raises(UnauthorizedError):
            await patient.check("good")
    clock.now += REFUSED_SECONDS
    keystone.answer = UpstreamUnavailableError("down", upstream="keystone")
    with pytest.raises(UpstreamUnavailableError):
        await patient.check("good")


async def test_no_outage_outlives_a_token(patient: TokenChecker, keystone: Asked, clock: Clock) -> None:
    keystone.answer = token(clock.now + 40)
    await patient.check("short")
    keystone.answer = UpstreamUnavailableError("down", upstream="keystone")
    clock.now += 39
    assert await patient.check("short")
    clock.now += 1
    with pytest.raises(UnauthorizedError, match="expired"):
        await patient.check("short")


async def test_expiry_ends_it_within_the_cache(checker: TokenChecker, keystone: Asked, clock: Clock) -> None:
    keystone.answer = token(clock.now + 10)
    await checker.check("short")
    clock.now += 9.9
    await checker.check("short")
    clock.now += 0.1
    for _ in range(2):
        with pytest.raises(UnauthorizedError, match="expired"):
            await checker.check("short")


@pytest.mark.parametrize(
    ("scope", "said"),
    [({}, "nothing"), ({"domain": DOMAIN}, "a domain"), ({"system": {"all": True}}, "the system")],
)
async def test_no_project_no_entry(
    checker: TokenChecker, keystone: Asked, scope: dict[str, Any], said: str
) -> None:
    keystone.answer = token(keystone.clock.now + 60, project=None, **scope)
    with pytest.raises(ForbiddenError, match=f"scoped to {said};"):
        await checker.check("other")


@pytest.mark.parametrize("junk", ["", " ", "a b", "ä", "a\nb", "a" * 4097, '"', "{}", "%00"])
async def test_junk_is_not_asked_about(checker: TokenChecker, keystone: Asked, junk: str) -> None:
    with pytest.raises(UnauthorizedError):
        await checker.check(junk)
    assert keystone.count == 0


async def test_memory_is_bounded_and_a_flood_of_junk_drives_nobody_out(
    checker: TokenChecker, keystone: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "REMEMBERED", 10)
    checker = TokenChecker(keystone, cache_seconds=30)  # type: ignore[arg-type]
    for number in range(30):
        await checker.check(f"good-{number}")
    await checker.check("good-20")
    keystone.answer = UnauthorizedError("no")
    for number in range(30):
        with pytest.raises(UnauthorizedError):
            await checker.check(f"bad-{number}")
    before = keystone.count
    await checker.check("good-29")
    await checker.check("good-20")
    assert keystone.count == before
    assert len(checker._accepted) == len(checker._refusals) == 10
    assert not checker._asking


async def test_a_remembered_token_costs_microseconds(checker: TokenChecker) -> None:
    await checker.check("same")
    started = time.perf_counter()
    for _ in range(1000):
        await checker.check("same")
    assert time.perf_counter() - started < 0.2
