"""What is kept of stacks and of their resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.service import new_id, now

if TYPE_CHECKING:
    from ecns.embedded.openstack.store import Body


def new_record(kind: str) -> Body:
    """What is kept of a resource that is not there yet."""
    moment = now()
    return {
        "type": kind,
        "physical": "",
        "action": "INIT",
        "status": "COMPLETE",
        "reason": "",
        "created": moment,
        "updated": moment,
        "properties": {},
        "data": {},
    }


def new_stack(name: str, template: Body, given: Body, **about: Any) -> Body:
    """What is kept of a stack that is not there yet."""
    return {
        "id": new_id(),
        "name": name,
        "template": template,
        "given": given,
        "files": {},
        "registry": {},
        "defaults": {},
        "tags": [],
        "timeout": None,
        "disable_rollback": True,
        "parent": None,
        "owner": "",
        "depth": 0,
        "action": "CREATE",
        "status": "IN_PROGRESS",
        "reason": "",
        "failure": None,
        "created": now(),
        "updated": None,
        "gone": None,
        "resources": {},
        "replaced": [],
        **about,
    }
