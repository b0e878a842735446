"""What goes wrong with stacks, in Heat's words."""

from __future__ import annotations

from ecns.embedded.openstack.errors import ProblemError, bad


def invalid(message: str, kind: str = "StackValidationFailed") -> ProblemError:
    """The template, or what it is given, is wrong."""
    return bad(message, kind)


class FailedError(Exception):
    """A resource could not be made, changed or removed.

    Args:
        kind: of the error, such as `Forbidden`.
        message: why.
        path: which resource, from the stack that is looked at: `resources.group.resources[1]`.
    """

    def __init__(self, kind: str, message: str, path: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.path = path

    def within(self, name: str) -> FailedError:
        """The same, seen from the stack that has the resource `name`."""
        step = f"resources[{name}]" if name.isdigit() else f"resources.{name}"
        return FailedError(self.kind, self.message, f"{step}.{self.path}" if self.path else step)

    def reason(self) -> str:
        """As a resource tells it."""
        return f"{self.kind}: {self.path}: {self.message}"
