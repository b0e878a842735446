"""What the operations of chapter 1.18 do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from ecns.api.common.applications import member
from ecns.api.common.checks import dns_subdomain
from ecns.api.common.claims import class_of, default_class, is_canary, routes_of
from ecns.api.common.lists import ListQuery, Page, Selection, select
from ecns.api.common.making import make_one
from ecns.api.common.names import PART_OF
from ecns.api.common.objects import Objects
from ecns.api.common.patching import find, operations
from ecns.api.common.selectors import app_selector
from ecns.api.common.taken import alone, sharing, whose
from ecns.api.ingresses import checks, manifests, types, uris
from ecns.api.ingresses.cached import KINDS, ROWS, Surroundings
from ecns.api.ingresses.checks import AT
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.kinds.configuration import SECRET, TLS
from ecns.backends.kubernetes.kinds.core import NODE, Service
from ecns.backends.kubernetes.kinds.networking import INGRESS, INGRESS_CLASS, Ingress
from ecns.errors import BadRequestError, ConflictError, NotFoundError

Sent = TypeVar("Sent", types.NewIngress, types.ChangedIngress)
Target = TypeVar("Target", types.Route, types.Backend)


class Ingresses:
    """The Ingresses of one place, for one request.

    Args:
        objects: the place.
    """

    def __init__(self, objects: Objects) -> None:
        self.objects = objects

    async def page(self, query: ListQuery, *, application: str) -> Page:
        """A page of Ingresses."""
        return await ROWS.page(self.objects, query, application=application)

    async def _surroundings(self) -> Surroundings:
        return Surroundings(await self.objects.caches(*KINDS))

    async def _told(self, found: Ingress) -> types.OneIngress:
        """An Ingress as its users see it, and why it may not be served as they mean."""
        around = await self._surroundings()
        return types.OneIngress(ingress=around.row(found), warnings=await self._warnings(found))

    # Creating and changing

    async def create(self, sent: types.NewIngress, *, keyed: bool) -> types.OneIngress:
        """Make an Ingress.

        Args:
            sent: what was sent.
            keyed: the request came with an `Idempotency-Key`.

        Raises:
            BadRequestError: ECNS or Kubernetes finds it wrong, or a Service that it leads to is not there.
            ConflictError: there is one of this name, or another one has a host with a path of it.
        """
        checks.check(sent)
        around = await self._surroundings()
        sent = await self._with_ports(sent, around)
        obj = manifests.made(sent, namespace=self.objects.namespace)
        theirs = list(around.applications(msgspec.convert(obj, INGRESS.type)))
        if len(theirs) == 1:
            obj["metadata"]["labels"][PART_OF] = theirs[0]
        claimed = self._alone(sent.name, sent.routers, (), sent.ingress_class, sent.annotations)
        async with claimed as check:
            made = await make_one(self.objects, INGRESS, obj, keyed=keyed)
            try:
                await check()
            except ConflictError:
                await self.objects.delete(INGRESS, sent.name, uid=made.metadata.uid)
                raise
        return await self._told(made)

    async def update(self, sent: types.ChangedIngress) -> types.OneIngress:
        """Change what is named of an Ingress; the rest stays, whoever made it.

        Raises:
            BadRequestError: ECNS or Kubernetes finds it wrong, or a Service that it leads to is not there.
            ConflictError: another one has a host with a path of it, or somebody else changed the same.
            NotFoundError: it is not there.
        """
        dns_subdomain(sent.name, f"{AT}.name")
        whole = await self.objects.whole(INGRESS, sent.name)
        found = msgspec.convert(whole, INGRESS.type)
        around = await self._surroundings()
        number = around.number(self.objects.namespace)
        shown = manifests.ingress(found, number)
        if sent.routers is not None:
            same = [manifests.completed(one, shown.routers) for one in sent.routers]
            sent = replace(sent, routers=same)
        checks.check(sent, shown)
        sent = await self._with_ports(sent, around, shown)
        wanted = shown.ingress_class if sent.ingress_class is None else sent.ingress_class
        annotations = found.metadata.annotations if sent.annotations is None else sent.annotations
        routers = shown.routers if sent.routers is None else sent.routers
        known = shown.routers if wanted == shown.ingress_class else ()
        made = manifests.changes(whole, sent, shown, number)
        async with self._alone(sent.name, routers, known, wanted, annotations) as check:
            now = await self.objects.patch_whole(INGRESS, whole, lambda now: operations(now, made))
            try:
                await check()
            except ConflictError:
                before = {path: find(whole, path) for path in made}
                await self.objects.patch_whole(INGRESS, now, lambda now: operations(now, before))
                raise
        return await self._told(msgspec.convert(now, INGRESS.type))

    async def _with_ports(self, sent: Sent, around: Surroundings, shown: types.Ingress | None = None) -> Sent:
        """What was sent, with the port of each Service that has only one.

        Raises:
            BadRequestError: a Service is not there or has no such port, and was not led to before.
        """
        known = shown.routers if shown else ()
        routers = sent.routers and [
            one if one in known else await self._with_port(one, around, f"{AT}.routers[{index}]")
            for index, one in enumerate(sent.routers)
        ]
        default = sent.default_backend
        if default is not None and default != (shown.default_backend if shown else None):
            default = await self._with_port(default, around, f"{AT}.default_backend")
        return replace(sent, routers=routers, default_backend=default)

    async def _with_port(self, sent: Target, around: Surroundings, at: str) -> Target:
        name, where = sent.target_service, self.objects.namespace
        if not name:
            return sent
        found = around.services.get(name, where) or await around.services.refresh(name, where)
        if found is None:
            raise BadRequestError(
                f"{at}.target_service: service {name!r} is not there", field=f"{at}.target_service"
            )
        ports = found.spec.ports or []
        if sent.service_port is None and not sent.service_port_name:
            if len(ports) != 1:
                raise BadRequestError(
                    f"{at}.service_port: which port of service {name!r}? {_ports(found)}",
                    field=f"{at}.service_port",
                )
            return replace(sent, service_port=ports[0].port)
        field = "service_port" if sent.service_port is not None else "service_port_name"
        asked = getattr(sent, field)
        if ports and asked not in {one.port if field == "service_port" else one.name for one in ports}:
            raise BadRequestError(
                f"{at}.{field}: service {name!r} has no port {asked}: {_ports(found)}", field=f"{at}.{field}"
            )
        return sent

    def _alone(
        self,
        name: str,
        routers: Sequence[types.Route],
        known: Sequence[types.Route],
        ingress_class: str | None,
        annotations: dict[str, str] | None,
    ) -> AbstractAsyncContextManager[Callable[[], Awaitable[None]]]:
        """Have the routes alone, unless they are to be shared with another Ingress."""
        probe = Ingress()
        probe.metadata.annotations = annotations
        claims = [] if is_canary(probe) else manifests.claims(routers, known, f"{AT}.routers")
        called = ingress_class or class_of(probe) or None
        return alone(self.objects, claims, ingresses=[name], ingress_class=called)

    async def delete(self, name: str) -> None:
        """Delete an Ingress.

        Raises:
            NotFoundError: it is not there.
        """
        await self.objects.delete(INGRESS, name)

    # What may be amiss

    async def _warnings(self, found: Ingress) -> list[str]:
        """Why an Ingress may not be served as it is meant; all of it may come right later."""
        ingresses, classes = await self.objects.caches(INGRESS, INGRESS_CLASS)
        called = class_of(found)
        told = []
        if not called:
            told.append("no ingress class is named and the cluster has no default: perhaps nobody serves it")
        elif classes.get(called) is None and found.spec.ingress_class_name:
            told.append(f"ingress class {called!r} is not there: perhaps nobody serves it")
        for name in dict.fromkeys(one.secret_name for one in found.spec.tls or () if one.secret_name):
            told += await self._secret(name)
        mine = (found.metadata.namespace, found.metadata.name)
        for route in () if is_canary(found) else sorted(routes_of(found)):
            for other in sharing(ingresses, route, called):
                if (other.metadata.namespace, other.metadata.name) != mine:
                    who = whose(self.objects, "ingress", other.metadata)
                    of = f"of host {route.host}" if route.host else "of all hosts"
                    told.append(f"path {route.path} {of} is taken by {who}, too: one of the two is served")
        for host in sorted({rule.host for rule in found.spec.rules or () if rule.host}):
            others = (one.metadata.namespace for one in ingresses.index(indexes.HOST, host))
            if any(not self.objects.places.sees(self.objects.place, each) for each in others):
                told.append(f"host {host} is used by another project, too")
        return told

    async def _secret(self, name: str) -> list[str]:
        """What is wrong with the Secret of a certificate."""
        try:
            secret = await self.objects.client.get(SECRET, name, self.objects.namespace)
        except NotFoundError:
            return [f"secret {name!r} is not there: there is no certificate of it"]
        if secret.type != TLS:
            return [f"secret {name!r} is of type {secret.type}, not {TLS}"]
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        if secret.expires and secret.expires < now:
            return [f"the certificate in secret {name!r} has expired: {secret.expires}"]
        return []

    # URIs

    async def uris(self, query: ListQuery, *, application: str) -> Selection:
        """The URIs that the Ingresses of the namespace define, each once; `page` counts URIs."""
        selected = app_selector(application)
        around = await self._surroundings()
        nodes, classes = await self.objects.caches(NODE, INGRESS_CLASS)
        chosen = select(
            around.ingresses.namespace(self.objects.namespace),
            replace(query, page=None),
            metadata=lambda one: one.metadata,
            filters=[]
            if selected is None
            else [lambda one: member(selected, one.metadata.labels, around.applications(one))],
        ).items
        default = default_class(classes)
        controllers = uris.controllers(classes, around.services)
        node = uris.node_address(nodes.namespace(""))
        found: dict[str, None] = {}
        for one in chosen:
            entrance = uris.entrance(one, controllers, class_of(one) or default, node)
            found.update(dict.fromkeys(uris.uris(one, entrance)))
        every = list(found)
        if query.page is None:
            return Selection(every, len(every))
        start = (query.page - 1) * query.page_size
        return Selection(every[start : start + query.page_size], len(every))


def _ports(found: Service) -> str:
    """A Service's ports in words."""
    ports = [f"{one.port} ({one.name})" if one.name else str(one.port) for one in found.spec.ports or ()]
    return f"it has {', '.join(ports)}" if ports else "it has none"
