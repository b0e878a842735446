"""All routes, and the dependencies that they name."""

from __future__ import annotations

from litestar.di import Provide

from ecns.api.common.lists import provide_query
from ecns.api.namespaces import routes as namespaces
from ecns.api.pods import routes as pods
from ecns.api.workloads import routes as workloads

ROUTES = [*namespaces.ROUTES, *pods.ROUTES, *workloads.ROUTES]

DEPENDENCIES = {
    "listing": Provide(provide_query, sync_to_thread=False),
    "namespaces": Provide(namespaces.provide_namespaces, sync_to_thread=False),
    "pods": Provide(pods.provide_pods, sync_to_thread=False),
    "workloads": Provide(workloads.provide_workloads, sync_to_thread=False),
}
