"""All routes, and the dependencies that they name."""

from __future__ import annotations

from litestar.di import Provide

from ecns.api.applications import routes as applications
from ecns.api.claims import routes as claims
from ecns.api.cloud import routes as cloud
from ecns.api.common.lists import provide_query
from ecns.api.configmaps import routes as configmaps
from ecns.api.cronjobs import routes as cronjobs
from ecns.api.images import routes as images
from ecns.api.images.upload import routes as uploads
from ecns.api.ingresses import routes as ingresses
from ecns.api.jobs import routes as jobs
from ecns.api.loadbalancing import routes as loadbalancing
from ecns.api.misc import routes as misc
from ecns.api.namespaces import routes as namespaces
from ecns.api.nodes import routes as nodes
from ecns.api.organization import routes as organization
from ecns.api.overview import routes as overview
from ecns.api.pods import routes as pods
from ecns.api.raw import routes as raw
from ecns.api.secrets import routes as secrets
from ecns.api.services import routes as services
from ecns.api.storage import routes as storage
from ecns.api.virtualmachines import routes as virtualmachines
from ecns.api.workloads import routes as workloads
from ecns.api.workspaces import routes as workspaces

ROUTES = [
    *applications.ROUTES,
    *cloud.ROUTES,
    *configmaps.ROUTES,
    *cronjobs.ROUTES,
    *ingresses.ROUTES,
    *jobs.ROUTES,
    *claims.ROUTES,
    *loadbalancing.ROUTES,
    *images.ROUTES,
    *uploads.ROUTES,
    *misc.ROUTES,
    *namespaces.ROUTES,
    *nodes.ROUTES,
    *organization.ROUTES,
    *overview.ROUTES,
    *pods.ROUTES,
    *raw.ROUTES,
    *secrets.ROUTES,
    *services.ROUTES,
    *storage.ROUTES,
    *virtualmachines.ROUTES,
    *workloads.ROUTES,
    *workspaces.ROUTES,
]

WITHOUT_PRODUCT = [*pods.WITHOUT_PRODUCT]
"""What is there without a product type in its path, too."""

DEPENDENCIES = {
    "applications": Provide(applications.provide_applications, sync_to_thread=False),
    "configmaps": Provide(configmaps.provide_configmaps, sync_to_thread=False),
    "cronjobs": Provide(cronjobs.provide_cronjobs, sync_to_thread=False),
    "ingresses": Provide(ingresses.provide_ingresses, sync_to_thread=False),
    "jobs": Provide(jobs.provide_jobs, sync_to_thread=False),
    "claims": Provide(claims.provide_claims, sync_to_thread=False),
    "cloud": Provide(cloud.provide_cloud, sync_to_thread=False),
    "images": Provide(images.provide_images, sync_to_thread=False),
    "listing": Provide(provide_query, sync_to_thread=False),
    "load_balancers": Provide(loadbalancing.provide_load_balancers, sync_to_thread=False),
    "namespaces": Provide(namespaces.provide_namespaces, sync_to_thread=False),
    "organizations": Provide(organization.provide_organizations, sync_to_thread=False),
    "overview": Provide(overview.provide_overview),
    "pods": Provide(pods.provide_pods, sync_to_thread=False),
    "reach": Provide(raw.provide_reach),
    "secrets": Provide(secrets.provide_secrets, sync_to_thread=False),
    "services": Provide(services.provide_services, sync_to_thread=False),
    "storage": Provide(storage.provide_storage, sync_to_thread=False),
    "virtual_machines": Provide(virtualmachines.provide_virtual_machines, sync_to_thread=False),
    "where": Provide(storage.provide_where, sync_to_thread=False),
    "workloads": Provide(workloads.provide_workloads, sync_to_thread=False),
    "workspace_service": Provide(workspaces.provide_workspace_service, sync_to_thread=False),
}
