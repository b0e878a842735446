"""What the operations of chapter 1.6 do.

Values are read from the cluster when they are shown, as the caller, and kept nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from litestar import Response

from ecns.api.common import batches, marks
from ecns.api.common.applications import need_application
from ecns.api.common.making import make_one
from ecns.api.common.objects import Objects
from ecns.api.common.references import Reference, in_use, users_of
from ecns.api.common.rows import rows
from ecns.api.secrets import checks, manifests
from ecns.api.secrets.hiding import hiding
from ecns.api.secrets.types import SecretDetail, SecretInfo, SecretName, SentSecret
from ecns.backends.kubernetes.kinds.configuration import SECRET
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.errors import BadRequestError, ConflictError

ROWS = rows(
    SECRET,
    manifests.info,
    word=lambda one: one.type or checks.OPAQUE,
    sorts={"type": lambda one: manifests.word(one.type), "expires": lambda one: one.expires or "~"},
)
"""Sorted by `expires`, those that do not are the last."""


class Secrets:
    """The Secrets of one place, for one request."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects

    async def keys(self, name: str) -> list[str]:
        """The keys of one.

        Raises:
            NotFoundError: it is not there.
        """
        return list((await self.objects.find(SECRET, name)).keys)

    async def show(self, name: str) -> SecretDetail:
        """One with who uses it, and with its values for those who may change it.

        Raises:
            NotFoundError: it is not there.
            ForbiddenError: the cluster does not let the caller see it.
        """
        found = await self.objects.find(SECRET, name)
        reference = Reference("Secret", name)
        using = (await users_of(self.objects, [reference])).get(reference, [])
        caller, policy = self.objects.place.caller, self.objects.places.policy
        if not policy.allows("secret.update", caller, {"project_id": caller.project_id}):
            return SecretDetail(
                secret=manifests.without_values(found), secret_info=manifests.info(found), used_by=using
            )
        whole = await self.objects.whole(SECRET, name, as_caller=True)
        return SecretDetail(
            secret=manifests.shown(whole), secret_info=manifests.info_of(whole), used_by=using
        )

    async def create(self, sent: SentSecret, *, keyed: bool) -> SecretInfo:
        """Make one.

        Args:
            sent: what was sent.
            keyed: the request came with an `Idempotency-Key`.

        Raises:
            BadRequestError: something in it cannot be, or its application is not there.
            ConflictError: one of this name exists.
        """
        checked = checks.new(sent)
        planned = manifests.secret(checked, self.objects.namespace)
        await need_application(self.objects, checked.application, f"{checks.AT}.application_name")
        with hiding(_values(sent)):
            return manifests.info(await make_one(self.objects, SECRET, planned, keyed=keyed))

    async def update(self, sent: SentSecret) -> SecretInfo:
        """Make of one what was sent; what was not sent stays.

        Raises:
            BadRequestError: something in it cannot be, its type is another, or its application is not there.
            NotFoundError: it is not there.
            ConflictError: it is immutable, or somebody else changed it meanwhile.
        """
        checked = checks.secret(sent)
        whole = await self.objects.whole(SECRET, checked.name)
        made = manifests.change(whole, checked)
        if checked.application != marks.member_of(whole):
            await need_application(self.objects, checked.application, f"{checks.AT}.application_name")
        with hiding([*_values(sent), *_stored(whole)]):
            return manifests.info(await self.objects.patch(SECRET, whole, lambda _: made))

    async def delete(self, wanted: Sequence[SecretName], *, force: bool) -> Response[Any]:
        """Delete several; one that is used only with `force`.

        Raises:
            EcnsError: none was deleted, all for one reason.
        """
        references = [Reference("Secret", one.name) for one in wanted]
        using = {} if force else await users_of(self.objects, references)

        async def delete(one: SecretName) -> None:
            found = await self.objects.find(SECRET, one.name)
            if checks.kubernetes_type(one.type) not in {None, found.type or checks.OPAQUE}:
                raise ConflictError(f"secret {one.name!r} is of type {manifests.word(found.type)} by now")
            if who := using.get(Reference("Secret", one.name)):
                raise in_use(f"secret {one.name!r}", who)
            await self.objects.delete(SECRET, one.name, uid=found.metadata.uid)

        return await batches.run(wanted, delete, name=lambda one: one.name)


def listed_type(word: str | None) -> str | None:
    """Kubernetes' name of the type that a list is asked for.

    Raises:
        BadRequestError: it is neither a word of the reference nor a name such as Kubernetes has.
    """
    kind = checks.kubernetes_type(word)
    if kind is not None and kind not in checks.WORDS.values() and "/" not in kind:
        raise BadRequestError(
            f"type is one of {', '.join(checks.WORDS)}, or one of Kubernetes such as helm.sh/release.v1",
            field="type",
        )
    return kind


def _values(sent: SentSecret) -> Iterator[str]:
    """What is secret in a request."""
    for several in (sent.opaque, sent.binary):
        yield from (value for value in (several or {}).values() if isinstance(value, str))
    if sent.tls:
        yield sent.tls.key
    for one in (sent.dockerconfigjson, *(sent.registries or ())):
        if one is not None:
            yield one.password


def _stored(whole: JsonObject) -> Iterator[str]:
    """What is secret in a Secret, as it is there."""
    yield from (value for value in (whole.get("data") or {}).values() if value)
    yield from (value.decode(errors="replace") for value in manifests.decoded(whole).values())
