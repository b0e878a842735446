"""Who gets in, on a real Keystone and on the embedded one: the same answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from ecns.backends.common import recent
from ecns.backends.openstack.keystone import Keystone
from ecns.errors import (
    ForbiddenError,
    NotFoundError,
    UnauthorizedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from ecns.identity import tokens
from ecns.identity.policy import Policy
from ecns.identity.tokens import TokenChecker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.real.keystone.servers import Cloud, KeystoneProcess, Person

CACHE_SECONDS = 30.0


class Clock:
    """The time that the checker sees, ahead of the real one by what a test says."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def time(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(tokens, "time", made)
    monkeypatch.setattr(recent, "time", made)
    return made


@pytest.fixture
async def keystone(server: KeystoneProcess) -> AsyncIterator[Keystone]:
    made = Keystone(server.url, timeout=5)
    yield made
    await made.close()


@pytest.fixture
def checker(keystone: Keystone) -> TokenChecker:
    return TokenChecker(keystone, cache_seconds=CACHE_SECONDS)


async def test_a_token_tells_who_calls(checker: TokenChecker, cloud: Cloud) -> None:
    person = cloud.person("member")
    token = person.token()
    caller = await checker.check(token)
    assert (caller.user_id, caller.user_name) == (person.user["id"], person.user["name"])
    assert (caller.user_domain_id, caller.user_domain_name) == (person.domain["id"], person.domain["name"])
    assert (caller.project_id, caller.project_name) == (person.project["id"], person.project["name"])
    assert caller.project_domain_id == person.domain["id"]
    assert set(caller.roles) == {"member", "reader"}
    assert 3500 < caller.expires_at - time.time() <= 3600
    assert token not in repr(caller)
    policy = Policy()
    assert policy.is_member(caller)
    assert not policy.is_project_admin(caller)


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        ("admin", (True, True, True)),
        ("manager", (False, True, True)),
        ("member", (False, False, True)),
        ("reader", (False, False, False)),
        ("service", (False, False, False)),
    ],
)
async def test_roles_are_rights(
    checker: TokenChecker, cloud: Cloud, role: str, rights: tuple[bool, ...]
) -> None:
    caller = await checker.check(cloud.person(role).token())
    policy = Policy()
    seen = policy.is_cloud_admin(caller), policy.is_project_admin(caller), policy.is_member(caller)
    assert seen == rights
    assert policy.allows("workload.list", caller, {}) == (role != "service")


@pytest.mark.parametrize(
    "forge",
    [
        lambda _: "",
        lambda _: "junk",
        lambda _: "0" * 32,
        lambda token: token[:-1],
        lambda token: token[:-5] + ("AAAA" if token[-5:-1] != "AAAA" else "BBBB") + token[-1],
        lambda token: token.swapcase(),
        lambda token: token + token,
        lambda _: "gAAAAA" + "A" * 2000,
        lambda _: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
        lambda _: "token with spaces",
        lambda _: "café",
        lambda _: "a\r\nX-Subject-Token: b",
        lambda _: "A" * 100_000,
    ],
)
async def test_what_is_no_token_does_not_get_in(
    checker: TokenChecker, cloud: Cloud, server: KeystoneProcess, forge: Callable[[str], str]
) -> None:
    forged = forge(cloud.admin_token)
    with pytest.raises(UnauthorizedError) as refused:
        await checker.check(forged)
    assert refused.value.headers == {"WWW-Authenticate": f'Keystone uri="{server.url}"'}


@pytest.mark.parametrize("scope", ["unscoped", {"domain": {"id": "default"}}, {"system": {"all": True}}])
async def test_a_token_without_a_project_does_not_reach(
    checker: TokenChecker, cloud: Cloud, server: KeystoneProcess, scope: Any
) -> None:
    admin = cloud.call("GET", "/users?name=admin")["users"][0]["id"]
    if scope != "unscoped":
        kind = "domains/default" if "domain" in scope else "system"
        cloud.call("PUT", f"/{kind}/users/{admin}/roles/{cloud.roles['admin']}")
    token = cloud.token(admin, server.password, scope=scope)
    with pytest.raises(ForbiddenError, match="scoped to a project"):
        await checker.check(token)


async def test_a_revoked_token_lives_no_longer_than_the_cache(
    checker: TokenChecker, cloud: Cloud, clock: Clock
) -> None:
    token = cloud.person("member").token()
    caller = await checker.check(token)
    cloud.http.delete("/auth/tokens", headers={"X-Auth-Token": token, "X-Subject-Token": token})
    clock.ahead = CACHE_SECONDS - 1
    assert await checker.check(token) is caller
    clock.ahead = CACHE_SECONDS
    with pytest.raises(UnauthorizedError):
        await checker.check(token)


def _disable(kind: str) -> Callable[[Person], None]:
    def disable(person: Person) -> None:
        body = {kind: {"enabled": False}}
        person.cloud.call("PATCH", f"/{kind}s/{getattr(person, kind)['id']}", body)

    return disable


def _delete(kind: str) -> Callable[[Person], None]:
    return lambda person: person.cloud.call("DELETE", f"/{kind}s/{getattr(person, kind)['id']}")


def _take_role(person: Person) -> None:
    person.cloud.grant(person.project["id"], person.user["id"], "member", "DELETE")


def _change_password(person: Person) -> None:
    person.cloud.call("PATCH", f"/users/{person.user['id']}", {"user": {"password": "other words"}})


@pytest.mark.parametrize(
    "end",
    [
        _disable("user"),
        _disable("project"),
        _disable("domain"),
        _delete("user"),
        _delete("project"),
        _take_role,
        _change_password,
    ],
    ids=[
        "user disabled",
        "project disabled",
        "domain disabled",
        "user deleted",
        "project deleted",
        "last role taken",
        "password changed",
    ],
)
async def test_a_token_ends_with_what_it_stands_on(
    checker: TokenChecker, cloud: Cloud, clock: Clock, end: Callable[[Person], None]
) -> None:
    person = cloud.person("member")
    token = person.token()
    await checker.check(token)
    end(person)
    clock.ahead = CACHE_SECONDS
    with pytest.raises(UnauthorizedError):
        await checker.check(token)


async def test_a_role_that_is_taken_is_gone_after_the_cache(
    checker: TokenChecker, cloud: Cloud, clock: Clock
) -> None:
    person = cloud.person("manager", "reader")
    token = person.token()
    assert Policy().is_project_admin(await checker.check(token))
    cloud.grant(person.project["id"], person.user["id"], "manager", "DELETE")
    clock.ahead = CACHE_SECONDS
    try:
        caller = await checker.check(token)
    except UnauthorizedError:
        return  # as good: the token was ended altogether
    assert caller.roles == ("reader",)


async def test_a_group_gives_its_roles(checker: TokenChecker, cloud: Cloud) -> None:
    person = cloud.person()
    group = cloud.make("group", domain_id=person.domain["id"])
    cloud.call("PUT", f"/groups/{group['id']}/users/{person.user['id']}")
    role = cloud.roles["member"]
    cloud.call("PUT", f"/projects/{person.project['id']}/groups/{group['id']}/roles/{role}")
    assert set((await checker.check(person.token())).roles) == {"member", "reader"}


async def test_application_credentials(checker: TokenChecker, cloud: Cloud, clock: Clock) -> None:
    person = cloud.person("manager")
    credential = person.credential(roles=[{"name": "member"}])
    proof = {"id": credential["id"], "secret": credential["secret"]}
    identity = {"methods": ["application_credential"], "application_credential": proof}
    token = cloud.authenticate(identity)
    caller = await checker.check(token)
    assert (caller.user_id, caller.project_id) == (person.user["id"], person.project["id"])
    assert "manager" not in caller.roles
    assert Policy().is_member(caller)
    path = f"/users/{person.user['id']}/application_credentials/{credential['id']}"
    cloud.call("DELETE", path, token=person.token())
    clock.ahead = CACHE_SECONDS
    with pytest.raises(UnauthorizedError):
        await checker.check(token)


async def test_an_application_credential_with_access_rules_is_not_for_us(
    checker: TokenChecker, cloud: Cloud
) -> None:
    """ECNS does not check such rules, so a token that has them must not pass."""
    rule = {"path": "/v2.1/servers", "method": "GET", "service": "compute"}
    credential = cloud.person("member").credential(access_rules=[rule])
    proof = {"id": credential["id"], "secret": credential["secret"]}
    identity = {"methods": ["application_credential"], "application_credential": proof}
    with pytest.raises(UnauthorizedError):
        await checker.check(cloud.authenticate(identity))


@pytest.mark.parametrize("impersonation", [False, True])
async def test_trusts(checker: TokenChecker, cloud: Cloud, clock: Clock, *, impersonation: bool) -> None:
    """One that impersonates may not validate itself with Keystone, and ECNS has no account to ask with."""
    trustor, trustee = cloud.person("member"), cloud.person("member")
    body = {
        "trustor_user_id": trustor.user["id"],
        "trustee_user_id": trustee.user["id"],
        "project_id": trustor.project["id"],
        "impersonation": impersonation,
        "roles": [{"name": "reader"}],
    }
    trust = cloud.call("POST", "/OS-TRUST/trusts", {"trust": body}, token=trustor.token())["trust"]
    token = trustee.token({"OS-TRUST:trust": {"id": trust["id"]}})
    if impersonation:
        with pytest.raises(ForbiddenError, match="trust"):
            await checker.check(token)
        return
    caller = await checker.check(token)
    assert (caller.user_id, caller.project_id) == (trustee.user["id"], trustor.project["id"])
    assert caller.roles == ("reader",)
    cloud.call("DELETE", f"/OS-TRUST/trusts/{trust['id']}", token=trustor.token())
    clock.ahead = CACHE_SECONDS
    with pytest.raises(UnauthorizedError):
        await checker.check(token)


async def test_a_rescoped_token_ends_when_the_first_does(checker: TokenChecker, cloud: Cloud) -> None:
    person = cloud.person("member")
    first = person.token()
    identity = {"methods": ["token"], "token": {"id": first}}
    second = cloud.authenticate(identity, {"project": {"id": person.project["id"]}})
    assert second != first
    one, other = await checker.check(first), await checker.check(second)
    assert abs(one.expires_at - other.expires_at) < 1
    assert one.token_digest != other.token_digest


async def test_a_token_does_not_pass_after_it_expired(
    checker: TokenChecker, keystone: Keystone, cloud: Cloud, clock: Clock
) -> None:
    """Neither a remembered one nor one that a Keystone with a slow clock still accepts."""
    token = cloud.person("member").token()
    forgetful = TokenChecker(keystone, cache_seconds=1e9)
    caller = await forgetful.check(token)
    clock.ahead = caller.expires_at - time.time() - 2
    assert await forgetful.check(token) is caller
    clock.ahead += 2
    for each in (forgetful, checker):
        with pytest.raises(UnauthorizedError, match="expired"):
            await each.check(token)


async def test_what_each_may_list(keystone: Keystone, cloud: Cloud) -> None:
    person = cloud.person("member")
    token = person.token()
    own = await keystone.own_projects(token)
    assert [(project.id, project.name) for project in own] == [(person.project["id"], person.project["name"])]
    assert person.project["id"] in {project.id for project in await keystone.projects(cloud.admin_token)}
    assert "default" in {domain.id for domain in await keystone.domains(cloud.admin_token)}
    assert person.user["id"] in {user.id for user in await keystone.users(cloud.admin_token)}
    assert (await keystone.project(token, person.project["id"])).domain_id == person.domain["id"]
    for refused in (keystone.users, keystone.domains):
        with pytest.raises(ForbiddenError):
            await refused(token)
    for unknown in ("nonsense", "../users", ""):
        with pytest.raises(NotFoundError):
            await keystone.project(cloud.admin_token, unknown)
    with pytest.raises(UnauthorizedError):
        await keystone.own_projects("junk")


async def test_a_wrong_catalog_keeps_nobody_out(
    checker: TokenChecker, keystone: Keystone, cloud: Cloud
) -> None:
    service = cloud.make("service", type=cloud.name("orchestration"))
    url = "http://127.0.0.1:1/nowhere"
    body = {"service_id": service["id"], "interface": "public", "url": url}
    endpoint = cloud.call("POST", "/endpoints", {"endpoint": body})["endpoint"]
    try:
        token = cloud.person("member").token()
        await checker.check(token)
        assert {"identity"} <= {found.type for found in await keystone.catalog(token)}
    finally:
        cloud.call("DELETE", f"/endpoints/{endpoint['id']}")


async def test_down_slow_and_back(cloud: Cloud, server: KeystoneProcess, clock: Clock) -> None:
    person = cloud.person("member")
    known, unknown = person.token(), person.token()
    keystone = Keystone(server.url, timeout=0.3)
    checker = TokenChecker(keystone, cache_seconds=CACHE_SECONDS)
    try:
        caller = await checker.check(known)

        server.hang()
        assert await checker.check(known) is caller
        with pytest.raises(UpstreamTimeoutError, match="Keystone"):
            await checker.check(unknown)
        server.resume()

        server.stop()
        assert await checker.check(known) is caller
        with pytest.raises(UpstreamUnavailableError, match="Keystone"):
            await checker.check(unknown)
        clock.ahead = CACHE_SECONDS
        with pytest.raises(UpstreamUnavailableError):
            await checker.check(known)

        server.start(token_seconds=1)
        patient = Keystone(server.url, timeout=5)
        checker = TokenChecker(patient, cache_seconds=0)
        assert (await checker.check(unknown)).user_id == caller.user_id
        short = person.token()
        await _until_refused(checker, short)
        await patient.close()
        server.stop()
        server.start()
    finally:
        await keystone.close()


async def _until_refused(checker: TokenChecker, token: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            await checker.check(token)
        except UnauthorizedError:
            return
    raise AssertionError("an expired token still passes")
