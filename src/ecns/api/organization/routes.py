"""The HTTP face of chapter 1.17."""

from __future__ import annotations

import msgspec
from litestar import Response, get

from ecns.api.common.lists import ListQuery, listed, select
from ecns.api.common.operations import CONTAINERS, EKS, operation
from ecns.api.organization.service import Organizations
from ecns.api.organization.types import Organization, Projects
from ecns.backends.kubernetes.kinds.meta import ObjectMeta
from ecns.backends.openstack.keystone import Keystone
from ecns.identity.caller import Caller
from ecns.identity.policy import Policy

TAGS = ["1.17 Domains and projects"]


def provide_organizations(keystone: Keystone, policy: Policy, caller: Caller) -> Organizations:
    """Litestar's dependency `organizations`."""
    return Organizations(keystone, policy, caller)


@get("/organization", opt=operation("org.domains", CONTAINERS), tags=TAGS)
async def show_organization(organizations: Organizations) -> Organization:
    """Domains and those of their projects that the caller may see."""
    return await organizations.tree()


@get("/projects", opt=operation("org.projects", EKS), tags=TAGS)
async def list_projects(organizations: Organizations, listing: ListQuery) -> Response[Projects]:
    """The projects that the caller administers, by name."""
    projects = await organizations.administered()
    selection = select(projects, listing, metadata=lambda project: ObjectMeta(name=project.project_name))
    return listed("projects", [msgspec.json.encode(one) for one in selection.items], selection, listing)


ROUTES = [show_organization, list_projects]
