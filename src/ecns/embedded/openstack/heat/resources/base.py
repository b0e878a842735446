"""What all types of resources have in common."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.heat.errors import FailedError
from ecns.embedded.openstack.heat.properties import Names, Schema

if TYPE_CHECKING:
    from ecns.embedded.openstack.heat.engine import Engine
    from ecns.embedded.openstack.service import Service
    from ecns.embedded.openstack.store import Body

_KINDS = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 413: "OverLimit"}
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


class Resource:
    """One resource of a stack.

    Args:
        engine: makes stacks.
        stack: whose it is.
        name: in the template.
        record: what is kept of it: `physical`, `properties`, `data` and how it is.
    """

    schema: ClassVar[Schema] = {}
    attributes: ClassVar[frozenset[str]] = frozenset()
    kind: ClassVar[str] = ""
    """The service that has it."""
    path: ClassVar[str] = ""
    """Where it is there."""
    singular: ClassVar[str] = ""
    """What it is called in bodies there."""
    checks: ClassVar[bool] = False
    """Whether Heat can see that it still works."""

    def __init__(self, engine: Engine, stack: Body, name: str, record: Body) -> None:
        self.engine = engine
        self.stack = stack
        self.name = name
        self.record = record
        self.caller = engine.caller(stack)
        self.names = Names(engine.cloud, self.caller)

    # For all types

    @property
    def physical(self) -> str:
        """The id of what was made; empty: nothing was."""
        return str(self.record["physical"] or "")

    def physical_name(self) -> str:
        """A name that nobody else has."""
        tail = "".join(secrets.choice(_LETTERS) for _ in range(12))
        return f"{self.stack['name']}-{self.name}-{tail}"

    @property
    def service(self) -> Service:
        """The service that has it."""
        found: Service = getattr(self.engine.cloud, self.kind)
        return found

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """A call of its service, as whoever made the stack.

        Raises:
            FailedError: it is refused.
        """
        try:
            return self.raw(method, path, body, **headers)
        except ProblemError as error:
            raise self.failed(error) from error

    def raw(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """As `call`, but a refusal is as the service says it."""
        return self.engine.cloud.call(self.caller, self.service, method, path, body, **headers)

    def failed(self, error: ProblemError) -> FailedError:
        """A refusal, as Heat tells it."""
        return FailedError(
            _KINDS.get(int(error.status), "ClientException"), f"{error.message} (HTTP {int(error.status)})"
        )

    def one(self) -> str:
        """The path of what was made."""
        return f"{self.path}/{self.physical}"

    def shown(self) -> Body:
        """What was made, as its service shows it; empty when it is gone."""
        if not self.physical:
            return {}
        try:
            found: Body = self.raw("GET", self.one())[self.singular]
        except ProblemError:
            return {}
        return found

    # What a type does

    def validate(self, properties: Body) -> None:
        """Refuse what cannot be made, as far as that is known before.

        Raises:
            ProblemError: 400.
        """

    def create(self, properties: Body) -> str | None:
        """Make it; its id, or None: it is too early, try again.

        Raises:
            FailedError: it cannot be made.
        """
        raise NotImplementedError

    def created(self) -> bool:
        """Whether it is done.

        Raises:
            FailedError: it went wrong.
        """
        return True

    def update(self, changed: Body, properties: Body) -> bool:
        """Change it in place; False: it is too early, try again.

        Args:
            changed: the new values of what changed.
            properties: all of the new values.

        Raises:
            FailedError: it cannot be changed.
        """
        raise NotImplementedError

    def delete(self) -> bool:
        """Let it be removed; False: it is too early, try again.

        Raises:
            FailedError: it cannot be removed.
        """
        try:
            self.raw("DELETE", self.one())
        except ProblemError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return True
            if error.status == HTTPStatus.CONFLICT:
                return False
            raise self.failed(error) from error
        return True

    def deleted(self) -> bool:
        """Whether it is gone."""
        return not self.shown()

    def act(self, action: str) -> None:
        """Begin to suspend or resume it."""

    def acted(self, action: str) -> bool:  # noqa: ARG002  who acts looks
        """Whether it is suspended, or runs again."""
        return True

    def check(self) -> None:
        """See that it is as it should be.

        Raises:
            FailedError: it is not.
        """

    def reference(self) -> Any:
        """What `get_resource` gives."""
        return self.physical or None

    def attribute(self, name: str, path: list[Any]) -> Any:  # noqa: ARG002  of those that look deeper
        """The value of an attribute."""
        shown = self.shown()
        return shown if name == "show" else shown.get(name)


class Simple(Resource):
    """A resource that is one body of its service, whose properties are fields of the same names."""

    renamed: ClassVar[dict[str, tuple[str, str]]] = {}
    """Property → the field, and what it names (an id is looked for), or nothing."""
    named: ClassVar[bool] = True
    """Whether it gets a name when it has none."""
    done: ClassVar[tuple[str, str, str]] = ("", "", "")
    """The field that tells how it is, its value when it is done, and when it went wrong."""

    def body(self, properties: Body) -> Body:
        """Properties as the service's fields."""
        sent = {}
        for name, value in properties.items():
            field, names = self.renamed.get(name, (name, ""))
            if field and value is not None:
                sent[field] = self.names.identity(names, value) or value if names else value
        return sent

    def create(self, properties: Body) -> str | None:
        """Make it."""
        sent = self.body(properties)
        if self.named and not sent.get("name"):
            sent["name"] = self.physical_name()
        made = self.call("POST", self.path, {self.singular: sent})
        return str(made[self.singular]["id"])

    def created(self) -> bool:
        """Whether it has the state that it is to have."""
        field, good, bad = self.done
        if not field:
            return True
        status = self.shown().get(field)
        if status == bad:
            raise FailedError("ResourceInError", f'Went to status {bad} due to "Unknown"')
        return status == good

    def update(self, changed: Body, properties: Body) -> bool:  # noqa: ARG002  others need all
        """Change it."""
        self.call("PUT", self.one(), {self.singular: self.body(changed)})
        return True
