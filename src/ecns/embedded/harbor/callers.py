"""Who calls, and what they may: nobody, a user, a robot, or the bearer of a registry token."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ecns.embedded.harbor import rights

if TYPE_CHECKING:
    from ecns.embedded.harbor.rights import Right
    from ecns.embedded.harbor.store import Row, Store


def is_public(store: Store, project_id: int) -> bool:
    """Whether anybody may read a project."""
    value = store.value("SELECT value FROM metadata WHERE project_id = ? AND key = 'public'", project_id)
    return value is not None and value.lower() == "true"


@dataclass(frozen=True)
class Caller:
    """Nobody in particular: reads what is public."""

    store: Store
    name: str = ""
    authenticated: bool = False
    admin: bool = False
    user_id: int = 0

    def rights(self, project: Row) -> list[Right]:
        """What they may in a project."""
        return list(rights.PUBLIC) if is_public(self.store, project["id"]) else []

    def can(self, project: Row | None, resource: str, action: str) -> bool:
        """Whether they may do something in a project; if it is not there, administrators alone."""
        if self.admin:
            return True
        return project is not None and (resource, action) in self.rights(project)

    def can_system(self, resource: str, action: str) -> bool:
        """Whether they may do something that is of no project."""
        del resource, action
        return self.admin

    def roles(self, project_id: int) -> list[int]:
        """Their roles in a project."""
        del project_id
        return []

    def own_projects(self) -> tuple[str, tuple[int | str, ...]]:
        """A condition on projects: those that are theirs whether public or not."""
        return "0", ()


@dataclass(frozen=True)
class User(Caller):
    """A person with an account."""

    authenticated: bool = True

    def rights(self, project: Row) -> list[Right]:
        """What their role gives them, and what everybody may."""
        found = super().rights(project)
        for role in self.roles(project["id"]):
            found += rights.OF_ROLE.get(role, [])
        return list(dict.fromkeys(found))

    def roles(self, project_id: int) -> list[int]:
        """Their role, if they are a member."""
        rows = self.store.all(
            "SELECT role_id FROM member WHERE project_id = ? AND user_id = ?", project_id, self.user_id
        )
        return [row[0] for row in rows if row[0] in rights.ROLES]

    def own_projects(self) -> tuple[str, tuple[int | str, ...]]:
        """Those that they are a member of."""
        if self.admin:
            return "1", ()
        return "project.id IN (SELECT project_id FROM member WHERE user_id = ?)", (self.user_id,)


@dataclass(frozen=True)
class Robot(Caller):
    """A robot account: exactly what it was given, and what everybody may."""

    authenticated: bool = True
    level: str = "project"
    permissions: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, store: Store, row: Row) -> Robot:
        """The robot of a row."""
        return cls(store, name=row["name"], level=row["level"], permissions=json.loads(row["permissions"]))

    def rights(self, project: Row) -> list[Right]:
        """Its permissions on the project; the right to push holds that to pull for a project's robot."""
        found = super().rights(project)
        refused: set[Right] = set()
        for permission in self.permissions:
            if permission["kind"] != "project" or permission["namespace"] not in {"*", project["name"]}:
                continue
            for access in permission["access"]:
                resource = "" if access["resource"] == "project" else access["resource"]
                right = (resource, access["action"])
                if access.get("effect") == "deny":
                    refused.add(right)
                    continue
                found.append(right)
                if access["action"] == "push" and self.level == "project":
                    found.append((resource, "pull"))
        return [right for right in dict.fromkeys(found) if right not in refused]

    def can(self, project: Row | None, resource: str, action: str) -> bool:
        """As its rights say; `*` stands for every action."""
        if project is None:
            return False
        held = self.rights(project)
        return (resource, action) in held or (resource, "*") in held

    def can_system(self, resource: str, action: str) -> bool:
        """As its system permissions say."""
        return any(
            access["resource"] in {resource, "*"} and access["action"] in {action, "*"}
            for permission in self.permissions
            if permission["kind"] == "system"
            for access in permission["access"]
        )

    def own_projects(self) -> tuple[str, tuple[int | str, ...]]:
        """Those of its permissions."""
        names = [item["namespace"] for item in self.permissions if item["kind"] == "project"]
        if "*" in names:
            return "1", ()
        return f"project.name IN ({','.join('?' * len(names))})", tuple(names)


@dataclass(frozen=True)
class Bearer(Caller):
    """Who came with a registry token: what it says, for the *project* of each repository in it."""

    actions: dict[str, set[str]] = field(default_factory=dict)

    def can(self, project: Row | None, resource: str, action: str) -> bool:
        """As the token says; of anything but repositories it says nothing."""
        return (
            project is not None
            and resource == "repository"
            and action in self.actions.get(project["name"], set())
        )
