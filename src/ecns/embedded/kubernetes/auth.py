"""Who is asking: bearer tokens (the administrator's, service accounts') and impersonation.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from ecns.embedded.kubernetes.errors import ApiError, bad_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ecns.embedded.kubernetes.errors import Object

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
MASTERS = "system:masters"
ISSUER = "https://kubernetes.default.svc.cluster.local"
_ACCOUNT = "system:serviceaccount:"


class User(msgspec.Struct, frozen=True):
    """A caller: name, groups, uid and whatever else the authenticator knows."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: dict[str, list[str]] = {}

    @property
    def is_master(self) -> bool:
        """Whether authorisation is not asked at all."""
        return MASTERS in self.groups

    def info(self) -> Object:
        """As `userInfo` of a review."""
        info: Object = {"username": self.name}
        if self.uid:
            info["uid"] = self.uid
        if self.groups:
            info["groups"] = list(self.groups)
        if self.extra:
            info["extra"] = dict(self.extra)
        return info


SYSTEM = User("system:kube-controller-manager", (MASTERS, AUTHENTICATED))
"""The controllers of this very process."""
ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))
ADMIN = User("kubernetes-admin", (MASTERS, AUTHENTICATED))


def unauthorized() -> ApiError:
    """401, for a token that is not valid."""
    return ApiError(401, "Unauthorized", "Unauthorized")


class Authenticator:
    """Turns the headers of a request into a `User`.

    Args:
        admin_token: the bearer token that makes an administrator.
        key: 32 bytes that sign service accounts' tokens.
        find_account: gives a ServiceAccount by namespace and name, None when there is none.
        anonymous: whether a request without a token is `system:anonymous` (else it is 401).

    """

    def __init__(
        self,
        admin_token: str,
        key: bytes,
        find_account: Callable[[str, str], Object | None],
        *,
        anonymous: bool = True,
    ) -> None:
        self._admin = admin_token
        self._key = key
        self._find_account = find_account
        self._anonymous = anonymous
        self._seen: dict[str, dict[str, Any]] = {}
        self.issuer = ISSUER

    def authenticate(self, authorization: str) -> User:
        """The user of an `Authorization` header.

        Raises:
            ApiError: 401 when there is a token and it is not valid.

        """
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            if self._anonymous:
                return ANONYMOUS
            raise unauthorized()
        user = self.user_of(token)
        if user is None:
            raise unauthorized()
        return user

    def user_of(self, token: str, audiences: list[str] | None = None) -> User | None:
        """The user of a token; None when it is not valid."""
        if hmac.compare_digest(token.encode(), self._admin.encode()):
            return ADMIN
        claims = self._claims(token)
        if claims is None or claims["exp"] < time.time():
            return None
        if not set(claims["aud"]) & set(audiences or [ISSUER]):
            return None
        bound = claims["kubernetes.io"]
        namespace, account = bound["namespace"], bound["serviceaccount"]
        found = self._find_account(namespace, account["name"])
        if found is None or found["metadata"]["uid"] != account["uid"]:
            return None
        extra = {"authentication.kubernetes.io/credential-id": [f"JTI={claims['jti']}"]}
        if pod := bound.get("pod"):
            extra["authentication.kubernetes.io/pod-name"] = [pod["name"]]
            extra["authentication.kubernetes.io/pod-uid"] = [pod["uid"]]
        return User(
            f"{_ACCOUNT}{namespace}:{account['name']}",
            ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED),
            account["uid"],
            extra,
        )

    def issue(
        self, account: Object, seconds: int, audiences: list[str], pod: Object | None = None
    ) -> tuple[str, int]:
        """A token of a ServiceAccount and when it ends (Unix seconds)."""
        now = int(time.time())
        metadata = account["metadata"]
        bound: dict[str, Any] = {
            "namespace": metadata["namespace"],
            "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
        }
        if pod is not None:
            bound["pod"] = {"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        claims = {
            "aud": audiences or [ISSUER],
            "exp": now + seconds,
            "iat": now,
            "iss": ISSUER,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": bound,
            "nbf": now,
            "sub": f"{_ACCOUNT}{metadata['namespace']}:{metadata['name']}",
        }
        head = _encode64(msgspec.json.encode({"alg": "HS256", "typ": "JWT"}))
        signed = f"{head}.{_encode64(msgspec.json.encode(claims))}"
        return f"{signed}.{self._sign(signed)}", now + seconds

    def _sign(self, signed: str) -> str:
        return _encode64(hmac.new(self._key, signed.encode(), hashlib.sha256).digest())

    def _claims(self, token: str) -> dict[str, Any] | None:
        known = self._seen.get(token)
        if known is not None:
            return known
        signed, _, signature = token.rpartition(".")
        if not signed or not hmac.compare_digest(self._sign(signed).encode(), signature.encode()):
            return None
        payload = signed.partition(".")[2]
        claims: dict[str, Any] = msgspec.json.decode(
            base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        )
        self._seen[token] = claims
        return claims


def _encode64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def impersonated(headers: Mapping[str, str], groups: list[str], extra: dict[str, list[str]]) -> User | None:
    """The user that `Impersonate-*` headers ask for; None when they ask for nobody.

    Raises:
        ApiError: 400 when groups, a uid or extras come without a user.

    """
    name, uid = headers.get("Impersonate-User", ""), headers.get("Impersonate-Uid", "")
    if not name:
        if not (groups or uid or extra):
            return None
        listed = (
            "[]string{" + ", ".join(f'"{group}"' for group in groups) + "}" if groups else "[]string(nil)"
        )
        raise bad_request(
            f'requested &user.DefaultInfo{{Name:"", UID:"{uid}", Groups:{listed}, '
            "Extra:map[string][]string(nil)} without impersonating a user name"
        )
    asked = tuple(groups)
    if name.startswith(_ACCOUNT):
        namespace = name.removeprefix(_ACCOUNT).partition(":")[0]
        if not asked:
            asked = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    if name == ANONYMOUS.name:
        asked = asked if UNAUTHENTICATED in asked else (*asked, UNAUTHENTICATED)
    elif AUTHENTICATED not in asked and UNAUTHENTICATED not in asked:
        asked = (*asked, AUTHENTICATED)
    return User(name, asked, uid, extra)
