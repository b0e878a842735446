"""Heat's manners."""

from __future__ import annotations

from ecns.embedded.openstack.errors import ProblemError
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.service import Service


class Heat(Service):
    """Stacks."""

    prefix = "/orchestration"
    tail = "/v1/%(project_id)s"
    types = ("orchestration", "heat")

    def problem(self, error: ProblemError) -> Answer:
        """A refusal."""
        return Answer(error.status, {"error": {"message": error.message}})
