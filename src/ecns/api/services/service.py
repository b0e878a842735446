"""What the operations of chapter 1.19 do."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec

from ecns.api.common import marks
from ecns.api.common.checks import dns_subdomain
from ecns.api.common.lists import ListQuery, Page
from ecns.api.common.making import Making
from ecns.api.common.objects import Objects
from ecns.api.common.patching import operations
from ecns.api.common.references import User, in_use
from ecns.api.common.taken import alone
from ecns.api.common.waiting import all_of
from ecns.api.loadbalancing.profiles import Balancing
from ecns.api.services import manifests, types
from ecns.api.services.cached import KINDS, ROWS, Surroundings
from ecns.api.services.leading import selects
from ecns.api.workloads.carrying import carry_out
from ecns.api.workloads.checks import access as access_checks
from ecns.api.workloads.checks.simple import check_labels, check_selector
from ecns.api.workloads.manifests import access, routes
from ecns.api.workloads.plans import Plan, plan_routes
from ecns.api.workloads.types import AccessMode
from ecns.backends.kubernetes import indexes
from ecns.backends.kubernetes.kinds.apps import Controller
from ecns.backends.kubernetes.kinds.core import SERVICE, Service
from ecns.backends.kubernetes.kinds.meta import JsonObject
from ecns.backends.kubernetes.kinds.networking import INGRESS
from ecns.backends.openstack.cloud import OpenStack
from ecns.errors import BadRequestError, NotFoundError

AT = "service"
"""Where requests have the Service."""
HEADLESS = "None"


class Services:
    """The Services of one place, for one request.

    Args:
        objects: the place.
        openstack: where load balancers are.
    """

    def __init__(self, objects: Objects, openstack: OpenStack) -> None:
        self.objects = objects
        self.balancing = Balancing(openstack, objects.place)

    async def page(self, query: ListQuery, *, kind: str | None, application: str) -> Page:
        """A page of Services."""
        return await ROWS.page(self.objects, query, word=kind, application=application)

    async def shown(self, found: Service) -> types.Service:
        """A Service as its users see it."""
        return (await self._surroundings()).row(found)

    async def _surroundings(self) -> Surroundings:
        return Surroundings(await self.objects.caches(*KINDS))

    # Creating

    async def create(self, name: str, sent: types.NewService, *, key: str = "") -> types.Service:
        """Make a Service, with an Ingress for its routers.

        Args:
            name: its name.
            sent: what was sent.
            key: whose `Idempotency-Key` came with the request, and which.

        Raises:
            BadRequestError: ECNS or Kubernetes finds it wrong, or its workload is not there.
            ConflictError: there is one of this name; a node port, cluster IP or route is taken.
        """
        mode, at = sent.access_mode, f"{AT}.access_mode"
        access_checks.check_service_name(name, "service_name")
        if mode.name and mode.name != name:
            raise BadRequestError(f"{at}.name: the path names service {name!r}", field=f"{at}.name")
        access_checks.check_access_mode(mode, at=at)
        _check(sent, mode)
        if not sent.target_workload and not sent.selector and mode.type != manifests.EXTERNAL_NAME:
            raise BadRequestError(
                f"{AT}.target_workload: which workload does it lead to?", field=f"{AT}.target_workload"
            )
        around = await self._surroundings()
        workload = await self._workload(around, sent) if sent.target_workload else None
        if workload and sent.selector and not selects(sent.selector, workload):
            raise _elsewhere(workload)
        claims = access.claims(mode, at)
        (mode,) = await self.balancing.chosen([mode], at)
        sent = msgspec.structs.replace(sent, access_mode=mode)
        planned = manifests.made(sent, name, workload, namespace=self.objects.namespace)
        async with alone(self.objects, claims, services=[name], ingresses=[name]) as check:
            return await Making(self.objects, "service", check).make(planned, sent, self.shown, key=key)

    async def _workload(
        self, around: Surroundings, sent: types.NewService | types.ChangedService
    ) -> Controller:
        """The workload that is named.

        Raises:
            BadRequestError: it is not there.
        """
        name = sent.target_workload or ""
        dns_subdomain(name, f"{AT}.target_workload")
        caches = [one for one in around.leading.workloads if sent.workload_type in {None, "", one.kind.kind}]
        for ask in (False, True):
            for cache in caches:
                where = (name, self.objects.namespace)
                if found := (await cache.refresh(*where) if ask else cache.get(*where)):
                    return found
        raise BadRequestError(
            f"{AT}.target_workload: {sent.workload_type or 'workload'} {name!r} is not there",
            field=f"{AT}.target_workload",
        )

    # Changing

    async def update(self, name: str, sent: types.ChangedService) -> types.Service:
        """Change what is named of a Service; the rest stays, whoever made it.

        Raises:
            BadRequestError: ECNS or Kubernetes finds it wrong, or its workload is not there.
            ConflictError: a node port, cluster IP or route is taken, or somebody else changed the same.
            NotFoundError: the Service is not there.
        """
        whole = await self.objects.whole(SERVICE, name)
        found = msgspec.convert(whole, Service)
        around = await self._surroundings()
        about = around.around(found)
        shown = manifests.service(found, about)
        if sent.external_traffic_policy == shown.external_traffic_policy:
            sent = msgspec.structs.replace(sent, external_traffic_policy=None)
        mode = manifests.completed(sent.access_mode, shown.access_mode)
        self._check_change(name, sent, mode, shown.access_mode)
        named_so = msgspec.structs.replace(mode, name=shown.access_mode.name)
        (named_so,) = await self.balancing.chosen([named_so], f"{AT}.access_mode", [shown.access_mode])
        mode = msgspec.structs.replace(mode, external=named_so.external)
        behind = manifests.target(found, about.controllers)
        selector, workload = await self._led(around, found, sent, mode, shown)
        named = [one.metadata.name for one in about.ingresses]
        claims = access.claims(mode, f"{AT}.access_mode")
        changes = manifests.changes(whole, sent, mode, selector=selector, workload=workload, behind=behind)
        plan = Plan()
        if made := operations(whole, changes):
            plan.patch.append((SERVICE, name, made))
        routed = manifests.names_routes(sent.access_mode, mode, shown.access_mode)
        ingresses: list[JsonObject] = []
        if routed or workload is not None:
            ingresses = await all_of(*(self.objects.whole(INGRESS, one) for one in named))
        for one in ingresses:
            own = one["metadata"]["name"] == name
            if own and workload is not None and (made := operations(one, manifests.released(one, workload))):
                plan.patch.append((INGRESS, name, made))
        if routed:
            labels = manifests.own_labels(workload or behind)
            number = routes.numbers(dict.fromkeys((name,), found))
            plan_routes(plan, [mode], ingresses, labels, number)
            for _, made_for in plan.create:
                made_for.metadata.namespace = self.objects.namespace
                made_for.metadata.owner_references = [marks.owner_reference(found, SERVICE)]
        async with alone(self.objects, claims, services=[name], ingresses=[*named, name]):
            await carry_out(self.objects, plan, [whole, *ingresses])
        now = (await self.objects.cache(SERVICE)).get(name, self.objects.namespace)
        return await self.shown(now or found)

    def _check_change(
        self, name: str, sent: types.ChangedService, mode: AccessMode, shown: AccessMode
    ) -> None:
        """Check what is to become of a Service; what stays as it is was good enough for Kubernetes."""
        at = f"{AT}.access_mode"
        if sent.access_mode and sent.access_mode.name not in {None, "", name}:
            raise BadRequestError(f"{at}.name: a Service keeps its name, {name!r}", field=f"{at}.name")
        there = {one.node_port for one in shown.access or ()}
        new = [
            msgspec.structs.replace(one, node_port=None) if one.node_port in there else one
            for one in mode.access or ()
        ]
        if mode != shown:
            access_checks.check_access_mode(msgspec.structs.replace(mode, access=new), at=at)
        if shown.type != manifests.EXTERNAL_NAME != mode.type:
            if shown.cluster_ip == HEADLESS and mode.type != "ClusterIP":
                raise BadRequestError(
                    f"{at}.type: a headless Service stays of type ClusterIP", field=f"{at}.type"
                )
            if mode.type == "ClusterIP" and shown.cluster_ip not in {None, "", mode.cluster_ip}:
                raise BadRequestError(
                    f"{at}.cluster_ip: a Service keeps {shown.cluster_ip}", field=f"{at}.cluster_ip"
                )
        _check(sent, mode)

    async def _led(
        self,
        around: Surroundings,
        found: Service,
        sent: types.ChangedService,
        mode: AccessMode,
        shown: types.Service,
    ) -> tuple[dict[str, str] | None, Controller | None]:
        """What a Service is to select after an update, and the workload that it is to be for if that changes.

        Raises:
            BadRequestError: the workload is not there, or the selector is not that of its pods.
        """
        present = found.spec.selector or None
        chosen = sent.selector if sent.selector not in (None, {}) else present
        name = sent.target_workload
        if not name and shown.access_mode.type == manifests.EXTERNAL_NAME != mode.type and not chosen:
            name = shown.target_workload
        if not name or (name == shown.target_workload and not shown.workload_type):
            return chosen, None
        workload = await self._workload(around, msgspec.structs.replace(sent, target_workload=name))
        if chosen and selects(chosen, workload):
            return chosen, workload
        if chosen != present:
            raise _elsewhere(workload)
        return access.pod_selector(workload), workload

    # Deleting

    async def delete(self, name: str, *, force: bool) -> None:
        """Delete a Service with the Ingress that was made for its routers.

        Raises:
            ConflictError: other Ingresses lead to it, and `force` does not say that they may go nowhere.
            NotFoundError: it is not there.
        """
        namespace = self.objects.namespace
        services, ingresses = await self.objects.caches(SERVICE, INGRESS)
        found = services.get(name, namespace) or await services.refresh(name, namespace)
        if found is None:
            raise NotFoundError(f"service {name!r} is not there")
        leading = list(ingresses.index(indexes.BACKEND, (namespace, name)))
        uid = found.metadata.uid
        others = [User("Ingress", one.metadata.name) for one in leading if not marks.owned_by(one, uid)]
        if others and not force:
            raise in_use(f"service {name!r}", sorted(others))
        await self.objects.delete(SERVICE, name, uid=uid)
        for one in leading:
            if marks.owned_by(one, uid):
                with contextlib.suppress(NotFoundError):
                    await self.objects.delete(INGRESS, one.metadata.name, uid=one.metadata.uid)

    # Node ports

    async def node_ports(self, query: ListQuery) -> types.NodePorts:
        """The node ports in use in the whole cluster, and who of those that the caller may see has them.

        Raises:
            BadRequestError: they are to be sorted or filtered.
        """
        for field, asked in (
            ("sort_by", query.sort_by),
            ("name", query.name),
            ("label_selector", query.selector),
        ):
            if asked:
                raise BadRequestError(f"{field}: node ports are in order and have none", field=field)
        exposed = [one for one in await self.objects.cache(SERVICE) if one.spec.type in access.EXPOSED]
        taken = [(number, protocol, one) for one in exposed for number, protocol in _node_ports(one)]
        found = sorted({number for number, _, _ in taken}, reverse=query.order == "desc")
        size = query.page_size if query.page is not None else len(found)
        number = query.page or 1
        page = found[(number - 1) * size : number * size]
        namespaces = {one.metadata.namespace for one in exposed}
        visible = {each for each in namespaces if self.objects.places.sees(self.objects.place, each)}
        here = set(page)
        users = sorted(
            (port, protocol, one.metadata.namespace, one.metadata.name)
            for port, protocol, one in taken
            if port in here and one.metadata.namespace in visible
        )
        return types.NodePorts(
            nodeports=page,
            used_by=[
                types.NodePortUser(node_port=port, protocol=protocol, namespace=namespace, service=name)
                for port, protocol, namespace, name in users
            ],
            total=len(found),
            page=number,
            page_size=size,
        )


def _node_ports(service: Service) -> Sequence[tuple[int, str]]:
    """The node ports of a Service, each with its protocol."""
    found: list[tuple[int, str]] = [
        (port.node_port, port.protocol or access.DEFAULT_PROTOCOL)
        for port in service.spec.ports or ()
        if port.node_port
    ]
    if service.spec.health_check_node_port:
        found.append((service.spec.health_check_node_port, access.DEFAULT_PROTOCOL))
    return found


def _check(sent: types.NewService | types.ChangedService, mode: AccessMode) -> None:
    """Check what is beside the access mode.

    Raises:
        BadRequestError: it cannot be.
    """
    check_labels(sent.labels, at=f"{AT}.labels")
    check_selector(sent.selector, at=f"{AT}.selector")
    if sent.external_traffic_policy and mode.type not in access.EXPOSED:
        raise BadRequestError(
            f"{AT}.external_traffic_policy: only of type NodePort or LoadBalancer",
            field=f"{AT}.external_traffic_policy",
        )


def _elsewhere(workload: Controller) -> BadRequestError:
    return BadRequestError(
        f"{AT}.selector: it does not select the pods of {workload.metadata.name!r}", field=f"{AT}.selector"
    )
