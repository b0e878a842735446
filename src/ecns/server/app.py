"""The application factory: services made from the configuration, routes, and what stands around them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog
from litestar import Litestar, Request, Response, Router
from litestar.config.response_cache import ResponseCacheConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, License, SecurityScheme

from ecns import __version__
from ecns.api.common.bodies import BodySchemas
from ecns.api.images.service import Builders
from ecns.api.images.upload.service import Uploads
from ecns.api.routes import DEPENDENCIES, ROUTES, WITHOUT_PRODUCT
from ecns.backends.harbor.client import Harbor
from ecns.backends.harbor.registry import Registry
from ecns.backends.kubernetes.clusters import Clusters
from ecns.backends.memory import Local, Shared, memory
from ecns.backends.openstack.cloud import OpenStack
from ecns.backends.openstack.keystone import Keystone
from ecns.config import Config, Identity
from ecns.errors import EcnsError
from ecns.identity.caller import Caller
from ecns.identity.place import Place, Places
from ecns.identity.policy import Policy
from ecns.identity.tokens import TokenChecker
from ecns.identity.workspaces import Workspaces
from ecns.server import errors, health, pages
from ecns.server.audit import Audit
from ecns.server.authentication import Authentication
from ecns.server.idempotency import Idempotency
from ecns.server.limits import Limits
from ecns.server.requests import Requests, context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler


log = structlog.get_logger(__name__)

EMBEDDED_REGISTRY = "registry.ecns.local"
"""The name of a registry that is not configured; images of `image_source: ecns` then only look right."""


def create_app(config: Config) -> Requests:
    """The gateway as one ASGI application.

    Args:
        config: complete: `identity` and `clusters` name the real systems or the stand-ins.

    Raises:
        ConfigError: a cluster's credentials cannot be read.
    """
    sessions = memory(config.sessions.url)
    idempotency = Idempotency(sessions, patience=config.server.request_timeout)
    return Requests(
        litestar_app(config, sessions, idempotency),
        body_limit=config.server.body_limit,
        timeout=config.server.request_timeout,
        render=errors.render,
        keep=idempotency.after,
        audit=Audit(config.audit.file, reads=config.audit.reads),
    )


def litestar_app(config: Config, sessions: Local | Shared, idempotency: Idempotency) -> Litestar:
    """The routed application, without what every request passes through first."""
    assert config.identity is not None, "the caller completes the configuration"  # noqa: S101  a fault of ours
    identity = config.identity
    keystone = Keystone(identity.auth_url, timeout=identity.timeout, ca_file=identity.ca_file)
    openstack = OpenStack(keystone, config.openstack, ca_file=identity.ca_file)
    policy = Policy(identity.policy_file)
    tokens = TokenChecker(
        keystone, cache_seconds=identity.cache_seconds, outage_seconds=identity.outage_seconds
    )
    clusters = Clusters(config.clusters)
    places = Places(clusters, sessions, policy)
    registry_domain = _registry_domain(config)
    harbor = Harbor(config.harbor) if config.harbor else None
    workspaces = Workspaces(harbor, policy)
    registry = Registry(harbor.transport) if harbor else None
    builders = Builders(registry)
    uploads = Uploads(config.uploads, registry)
    uploads.start()

    @contextlib.asynccontextmanager
    async def running(_: Litestar) -> AsyncIterator[None]:
        greeting = asyncio.create_task(_greet(harbor))
        try:
            yield
        finally:
            greeting.cancel()
            await asyncio.to_thread(uploads.close)
            await asyncio.gather(
                clusters.close(),
                openstack.close(),
                keystone.close(),
                sessions.close(),
                *([harbor.close()] if harbor else ()),
            )

    async def provide_caller(request: Request[Any, Any, Any]) -> Caller:
        caller = context(request.scope).caller
        assert caller is not None, "the guard let it through"  # noqa: S101  a fault of ours
        return caller

    async def provide_place(request: Request[Any, Any, Any]) -> Place:
        caller, headers = await provide_caller(request), request.headers
        place = await places.resolve(
            caller,
            cluster=headers.get("x-ecns-cluster", ""),
            namespace=headers.get("x-ecns-namespace", ""),
        )
        seen = context(request.scope)
        seen.cluster, seen.namespace = place.cluster.name, place.namespace
        return place

    authentication = Authentication(tokens, policy, Limits(config.limits))

    # Functions: Litestar copies a method or an object together with what it holds: the store, and a second
    # Keystone that nobody would close.

    async def look_up(request: Request[Any, Any, Any]) -> Response[bytes] | None:
        return await idempotency.before(request)

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        await authentication(connection, handler)

    operations = [
        Router(
            path=path,
            route_handlers=handlers,
            guards=[guard],
            before_request=look_up,
            dependencies={
                "caller": Provide(provide_caller),
                "place": Provide(provide_place),
                **DEPENDENCIES,
            },
            security=[{"token": []}],
        )
        for path, handlers in (("/api/ecns/{product_type:str}", ROUTES), ("/api/ecns", WITHOUT_PRODUCT))
    ]
    return Litestar(
        route_handlers=[*operations, *health.ROUTES, *pages.ROUTES],
        dependencies={
            "places": Provide(lambda: places, sync_to_thread=False),
            "clusters": Provide(lambda: clusters, sync_to_thread=False),
            "keystone": Provide(lambda: keystone, sync_to_thread=False),
            "openstack": Provide(lambda: openstack, sync_to_thread=False),
            "policy": Provide(lambda: policy, sync_to_thread=False),
            "kubernetes_versions": Provide(lambda: config.kubernetes_versions, sync_to_thread=False),
            "workspaces": Provide(lambda: workspaces, sync_to_thread=False),
            "uploads": Provide(lambda: uploads, sync_to_thread=False),
            "builders": Provide(lambda: builders, sync_to_thread=False),
            "registry_domain": Provide(lambda: registry_domain, sync_to_thread=False),
            "terminals": Provide(lambda: config.terminals, sync_to_thread=False),
        },
        exception_handlers={Exception: errors.handle},
        after_exception=[errors.remember],
        lifespan=[running],
        logging_config=None,
        openapi_config=_openapi(),
        plugins=[BodySchemas()],
        request_max_body_size=None,
        response_cache_config=ResponseCacheConfig(),
        state=State({"keystone": keystone, "clusters": clusters, "harbor": harbor}),
    )


async def _greet(harbor: Harbor | None) -> None:
    """See that Harbor takes our account: without one it answers some questions too, and wrongly."""
    try:
        if harbor is not None:
            await harbor.verify()
    except EcnsError as error:
        log.warning("Harbor cannot be used", reason=error.message)


def openapi_document() -> bytes:
    """The OpenAPI document, of an application that reaches nothing."""
    config = Config(identity=Identity(auth_url="http://127.0.0.1"))
    return pages.document(litestar_app(config, Local(), Idempotency(Local(), patience=0)))


def _registry_domain(config: Config) -> str:
    """The registry's name in image references of `image_source: ecns`."""
    if config.harbor is None:
        return EMBEDDED_REGISTRY
    return config.harbor.domain or urlsplit(config.harbor.url).netloc


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="ECNS",
        version=__version__,
        description="A container service for private clouds. Product version of the reference: v6.1.1.",
        license=License(name="Apache-2.0"),
        path="/openapi",
        render_plugins=[],
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                "token": SecurityScheme(type="apiKey", name="X-Auth-Token", security_scheme_in="header")
            }
        ),
    )
