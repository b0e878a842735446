"""What each collection of Neutron does in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecns.embedded.openstack.callers import Caller
    from ecns.embedded.openstack.neutron.service import Neutron
    from ecns.embedded.openstack.store import Body


class Part:
    """One collection.

    Args:
        neutron: all of them.
    """

    def __init__(self, neutron: Neutron) -> None:
        self.neutron = neutron
        self.store = neutron.store

    def before_list(self, caller: Caller) -> None:
        """Make what is there as soon as somebody looks."""

    def make(self, caller: Caller, body: Body) -> None:
        """Complete a new document, or refuse it."""

    def change(self, caller: Caller, body: Body, fields: Body) -> None:  # noqa: ARG002  others need the caller
        """Change a document, or refuse to."""
        body |= fields

    def delete(self, body: Body) -> None:
        """Remove what belongs to a document that goes, or refuse to let it go."""

    def shown(self, shown: Body, caller: Caller) -> Body:  # noqa: ARG002  as above
        """A copy of a document, as it is answered."""
        return shown
