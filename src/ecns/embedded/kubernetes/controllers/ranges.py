"""ServiceCIDRs and IPAddresses: the ranges of Services' addresses, an object for each address in use.

The allocation itself is `services`; its range is the ServiceCIDR `kubernetes`. Further ones are kept and
become Ready, but Services get no addresses from them.
Source: https://kubernetes.io/docs/reference/networking/virtual-ips/#ip-address-objects
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.controllers import objects, services
from ecns.embedded.kubernetes.controllers.base import Controller, Key

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.store import Record

_RANGES, _ADDRESSES = "servicecidrs.networking.k8s.io", "ipaddresses.networking.k8s.io"
_FINALIZER = "networking.k8s.io/service-cidr-finalizer"
_DEFAULT = "kubernetes"
_READY = "Kubernetes Service CIDR is ready"
_IN_USE = (
    "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"
)


class ServiceRanges(Controller):
    """Keeps the default range, makes all Ready, and deleted ones wait for the addresses in them."""

    name = "service-cidr-controller"
    resource = _RANGES

    def begin(self) -> None:
        """Watches ranges, and addresses that go."""
        self.watch_own(_RANGES)
        self.watch(_ADDRESSES, self._address)
        self.enqueue(("", _DEFAULT))

    def _address(self, event: str, _new: Object | None, _old: Object | None) -> None:
        if event == "DELETED":
            for found in self.cluster.list(_RANGES):
                if found["metadata"].get("deletionTimestamp"):
                    self.enqueue(("", found["metadata"]["name"]))

    def is_settled(self, record: Record) -> bool:
        """Those that are Ready."""
        return objects.condition(record.obj, "Ready") is not None

    def sync(self, key: Key) -> None:
        """Works on one."""
        found = self.cluster.find(_RANGES, key[1])
        if found is None:
            if key[1] == _DEFAULT:
                self.cluster.create(
                    _RANGES,
                    {
                        "kind": "ServiceCIDR",
                        "apiVersion": "networking.k8s.io/v1",
                        "metadata": {"name": _DEFAULT},
                        "spec": {"cidrs": [str(services.RANGE)]},
                    },
                )
            return
        metadata = found["metadata"]
        finalizers = metadata.get("finalizers") or []
        if not metadata.get("deletionTimestamp"):
            if _FINALIZER not in finalizers:
                metadata = {**metadata, "finalizers": [*finalizers, _FINALIZER]}
                found = self.cluster.update(_RANGES, {**found, "metadata": metadata})
            if objects.condition(found, "Ready") is None:
                self._tell(found, "True", "", _READY)
        elif self._is_used(found):
            self._tell(found, "False", "Terminating", _IN_USE)
        elif _FINALIZER in finalizers:
            rest = [item for item in finalizers if item != _FINALIZER]
            self.cluster.update(_RANGES, {**found, "metadata": {**metadata, "finalizers": rest}})

    def _tell(self, found: Object, status: str, reason: str, message: str) -> None:
        old = (found.get("status") or {}).get("conditions") or []
        condition = {
            "type": "Ready",
            "status": status,
            "lastTransitionTime": clock.stamp(self.now()),
            "reason": reason,
            "message": message,
        }
        conditions = objects.set_condition(old, condition)
        if conditions != old:
            self.cluster.update_status(_RANGES, {**found, "status": {"conditions": conditions}})

    def _is_used(self, found: Object) -> bool:
        """Whether an address is in it and in no other range."""
        others = [
            ipaddress.ip_network(cidr)
            for other in self.cluster.list(_RANGES)
            if other["metadata"]["uid"] != found["metadata"]["uid"]
            and not other["metadata"].get("deletionTimestamp")
            for cidr in other["spec"].get("cidrs") or ()
        ]
        own = [ipaddress.ip_network(cidr) for cidr in found["spec"].get("cidrs") or ()]
        for address in self.cluster.list(_ADDRESSES):
            ip = ipaddress.ip_address(address["metadata"]["name"])
            if any(ip in cidr for cidr in own) and not any(ip in cidr for cidr in others):
                return True
        return False


class ServiceAddresses(Controller):
    """Keeps an IPAddress for each address of a Service."""

    name = "ipallocator-repair-controller"
    resource = "services"

    def begin(self) -> None:
        """Watches Services."""
        self._owners: dict[str, tuple[str, str]] = {}

        def changed(_event: str, new: Object | None, old: Object | None) -> None:
            before, after = services.addresses(old), services.addresses(new)
            for ip, owner in before.items():
                if after.get(ip) != owner and self._owners.get(ip) == owner:
                    del self._owners[ip]
                    self.enqueue(("", ip))
            for ip, owner in after.items():
                if before.get(ip) != owner:
                    self._owners[ip] = owner
                    self.enqueue(("", ip))

        self.watch(self.resource, changed)

    def is_settled(self, record: Record) -> bool:
        """Puts the addresses down that are there already, and asks for those that are not."""
        for ip, owner in services.addresses(record.obj).items():
            self._owners[ip] = owner
            if self.cluster.store.get(_ADDRESSES, "", ip) is None:
                self.enqueue(("", ip))
        return True

    def sync(self, key: Key) -> None:
        """Works on one address."""
        ip = key[1]
        owner = self._owners.get(ip)
        current = self.cluster.find(_ADDRESSES, ip)
        if owner is None:
            if current is not None and current["metadata"].get("labels", {}).get(_MANAGED) == _ALLOCATOR:
                self.cluster.delete(_ADDRESSES, ip)
            return
        parent = {"resource": "services", "namespace": owner[0], "name": owner[1]}
        if current is not None:
            if {name: current["spec"]["parentRef"].get(name) for name in parent} == parent:
                return
            self.cluster.delete(_ADDRESSES, ip)
        version = ipaddress.ip_address(ip).version
        labels = {"ipaddress.kubernetes.io/ip-family": f"IPv{version}", _MANAGED: _ALLOCATOR}
        self.cluster.create(
            _ADDRESSES,
            {
                "kind": "IPAddress",
                "apiVersion": "networking.k8s.io/v1",
                "metadata": {"name": ip, "labels": labels},
                "spec": {"parentRef": parent},
            },
        )


_MANAGED, _ALLOCATOR = "ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io"
