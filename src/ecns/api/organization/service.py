"""What the organization operations do; Keystone is asked with the caller's own token."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from ecns.api.organization.types import DomainSelector, Organization, Project
from ecns.backends.openstack import keystone as openstack
from ecns.errors import ForbiddenError

if TYPE_CHECKING:
    from ecns.backends.openstack.keystone import Keystone
    from ecns.identity.caller import Caller
    from ecns.identity.policy import Policy


class Organizations:
    """The domains and projects that one caller may see."""

    def __init__(self, keystone: Keystone, policy: Policy, caller: Caller) -> None:
        self.keystone = keystone
        self.policy = policy
        self.caller = caller

    async def tree(self) -> Organization:
        """Domains with their projects by name: everybody's for cloud administrators, else the caller's own.

        A domain whose name Keystone does not tell the caller is shown by its id.

        Raises:
            UpstreamError: Keystone does not answer.
        """
        projects, domains = await asyncio.gather(self._projects(), self._domains())
        own = self.caller
        names = {own.project_domain_id: own.project_domain_name, own.user_domain_id: own.user_domain_name}
        names |= {domain.id: domain.name for domain in domains}
        of: dict[str, list[Project]] = defaultdict(list)
        for domain in domains:
            of[domain.id] = []
        for project in projects:
            of[project.domain_id or ""].append(_shown(project))
        selectors = [
            DomainSelector(names.get(domain_id, domain_id), domain_id, found)
            for domain_id, found in of.items()
        ]
        selectors.sort(key=lambda selector: (selector.domain_name, selector.domain_id))
        return Organization(selectors)

    async def administered(self) -> list[Project]:
        """The projects that the caller administers: all for cloud administrators, else the token's own.

        In which other projects somebody is an administrator, Keystone tells only to those who manage it.

        Raises:
            UpstreamError: Keystone does not answer.
        """
        if self.policy.is_cloud_admin(self.caller):
            return [_shown(project) for project in await self._projects()]
        return [Project(self.caller.project_name, self.caller.project_id)]

    async def _projects(self) -> list[openstack.Project]:
        projects = None
        if self.policy.is_cloud_admin(self.caller):
            try:
                projects = await self.keystone.projects(self.caller.token)
            except ForbiddenError:  # ECNS's administrators need not be Keystone's
                projects = None
        if projects is None:
            projects = await self.keystone.own_projects(self.caller.token)
        enabled = [project for project in projects if project.enabled]
        return sorted(enabled, key=lambda project: (project.name, project.id))

    async def _domains(self) -> list[openstack.Domain]:
        """The domains that are shown even when they have no project the caller may see."""
        if not self.policy.is_cloud_admin(self.caller):
            return []
        try:
            domains = await self.keystone.domains(self.caller.token)
        except ForbiddenError:
            return []
        return [domain for domain in domains if domain.enabled]


def _shown(project: openstack.Project) -> Project:
    return Project(project.name, project.id)
