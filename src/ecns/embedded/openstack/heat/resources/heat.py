"""Resources of Heat itself that are only values."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING, Any, ClassVar

from ecns.embedded.openstack.heat.properties import Property, Schema
from ecns.embedded.openstack.heat.resources.base import Resource

if TYPE_CHECKING:
    from ecns.embedded.openstack.store import Body


class _Kept(Resource):
    """A resource that is nothing but what is kept of it."""

    def delete(self) -> bool:
        """There is nothing to remove."""
        return True

    def deleted(self) -> bool:
        """There was nothing."""
        return True

    def update(self, changed: Body, properties: Body) -> bool:  # noqa: ARG002  of the protocol
        """Values follow the properties."""
        return True

    def create(self, properties: Body) -> str | None:  # noqa: ARG002  as above
        """A name is all it needs."""
        return self.physical_name()


class RandomString(_Kept):
    """A text that nobody can guess."""

    schema: ClassVar[Schema] = {
        "length": Property(int, default=32, least=1, most=512, fixed=True),
        "salt": Property(fixed=True),
        "character_classes": Property(list, fixed=True),
        "character_sequences": Property(list, fixed=True),
    }
    attributes = frozenset({"value", "show"})

    def create(self, properties: Body) -> str | None:
        """Think of one."""
        classes = {
            "letters": string.ascii_letters,
            "lettersdigits": string.ascii_letters + string.digits,
            "lowercase": string.ascii_lowercase,
            "uppercase": string.ascii_uppercase,
            "digits": string.digits,
            "octdigits": string.octdigits,
            "hexdigits": string.hexdigits,
        }
        wanted = [c for c in properties.get("character_classes") or [] if isinstance(c, dict)]
        letters = "".join(classes.get(str(c.get("class")), "") for c in wanted) or classes["lettersdigits"]
        found = [
            secrets.choice(classes[str(c["class"])])
            for c in wanted
            if str(c.get("class")) in classes
            for _ in range(int(c.get("min", 1)))
        ]
        while len(found) < properties["length"]:
            found.append(secrets.choice(letters))
        self.record["data"]["value"] = "".join(found[: properties["length"]])
        return self.physical_name()

    def attribute(self, name: str, path: list[Any]) -> Any:  # noqa: ARG002  as above
        """The text."""
        return self.record["data"].get("value") if name == "value" else {}


class Value(_Kept):
    """A value by another name."""

    schema: ClassVar[Schema] = {"value": Property(object, required=True), "type": Property()}
    attributes = frozenset({"value", "show"})

    def attribute(self, name: str, path: list[Any]) -> Any:  # noqa: ARG002  as above
        """The value."""
        return self.record["properties"].get("value")


class NoneResource(_Kept):
    """Nothing; it takes all properties and has all attributes."""
