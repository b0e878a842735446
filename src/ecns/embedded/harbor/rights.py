"""What each role may do in a project: pairs of resource and action.

Source: https://goharbor.io/docs/2.9.0/administration/managing-users/user-permissions-by-role/ and the answers
of Harbor 2.9 to `/users/current/permissions`.
"""

from __future__ import annotations

Right = tuple[str, str]
"""Resource (empty: the project itself) and action."""

ADMIN, DEVELOPER, GUEST, MAINTAINER, LIMITED_GUEST = 1, 2, 3, 4, 5
ROLES = {
    ADMIN: "projectAdmin",
    DEVELOPER: "developer",
    GUEST: "guest",
    MAINTAINER: "maintainer",
    LIMITED_GUEST: "limitedGuest",
}


def _rights(text: str) -> list[Right]:
    """Rights from lines of a resource and its actions; `-` is the project itself."""
    found: list[Right] = []
    for line in text.split("\n"):
        resource, *actions = line.split()
        found += [("" if resource == "-" else resource, action) for action in actions]
    return found


PUBLIC = _rights(
    """- read
label read list
repository list pull
scan read
scanner read
artifact read list
artifact-addition read
tag list
accessory list"""
)
"""Of everybody in a public project, in the order that Harbor lists them."""

_LIMITED = """- read
quota read
repository list read pull
configuration read
scan read
scanner read
tag list
accessory list
artifact read list
artifact-addition read"""
_GUEST = f"""{_LIMITED}
member read list
label read list
robot read list"""
_DEVELOPER = f"""{_GUEST}
repository create update push
tag-retention create read update delete list operate
artifact create
tag create
artifact-label create delete
export-cve create read list"""
_MAINTAINER = f"""{_DEVELOPER}
metadata read
label create update delete
repository delete
immutable-tag create update delete list
notification-policy read list
scan create stop
artifact delete
tag delete"""
_ADMIN = f"""{_MAINTAINER}
- update delete
member create update delete
metadata create update delete
log list
configuration update
robot create update delete
notification-policy create update delete
scanner create
preheat-policy create read update delete list"""

OF_ROLE = {
    ADMIN: _rights(_ADMIN),
    DEVELOPER: _rights(_DEVELOPER),
    GUEST: _rights(_GUEST),
    MAINTAINER: _rights(_MAINTAINER),
    LIMITED_GUEST: _rights(_LIMITED),
}
