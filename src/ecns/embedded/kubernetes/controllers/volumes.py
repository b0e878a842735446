"""Volumes: claims are bound to the smallest volume that fits, or one is provisioned; protection while in use.

Source: https://kubernetes.io/docs/concepts/storage/persistent-volumes/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.admission.namespaces import newest_default
from ecns.embedded.kubernetes.admission.storage import IS_DEFAULT, OLD_CLASS, OLD_DEFAULT
from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.controllers.base import Controller, Key
from ecns.embedded.kubernetes.nodes.inventory import PROVISIONER
from ecns.embedded.kubernetes.quantities import parse

if TYPE_CHECKING:
    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.store import Record

_CLAIMS, _VOLUMES, _CLASSES = "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"
_COMPLETED, _BY_CONTROLLER = "pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"
_PROVISIONED = "pv.kubernetes.io/provisioned-by"
_SELECTED_NODE = "volume.kubernetes.io/selected-node"
_ASKED = ("volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner")
_IN_USE = {_CLAIMS: "kubernetes.io/pvc-protection", _VOLUMES: "kubernetes.io/pv-protection"}
_CINDER = "cinder.csi.openstack.org"
_PROVISIONERS = frozenset({PROVISIONER, _CINDER})
"""Drivers that this cluster has; OpenStack's makes volumes that nothing is behind."""
_RETRY = 15.0
_VOLUME = "volume"


class Binder(Controller):
    """Binds claims and volumes; its keys are (namespace, name) of claims and ("volume", "", name)."""

    name = "persistentvolume-controller"
    resource = _CLAIMS

    def begin(self) -> None:
        """Watches both, and StorageClasses."""
        self.watch_own(_CLAIMS)
        self.watch(_VOLUMES, self._volume)
        self.watch(_CLAIMS, self._claim)

        def classes(event: str, new: Object | None, _old: Object | None) -> None:
            if event != "DELETED" and new is not None:
                self._retry_pending()

        self.watch(_CLASSES, classes)
        for record in self.cluster.store.all(_VOLUMES):
            self.enqueue((_VOLUME, "", record.name))

    def is_settled(self, record: Record) -> bool:
        """Those that are bound."""
        return bool(record.obj.get("status", {}).get("phase") == "Bound")

    def _volume(self, _event: str, new: Object | None, old: Object | None) -> None:
        volume = new or old
        if volume is None:
            return
        self.enqueue((_VOLUME, "", volume["metadata"]["name"]))
        reference = volume["spec"].get("claimRef")
        if reference:
            self.enqueue((reference["namespace"], reference["name"]))

    def _claim(self, _event: str, new: Object | None, old: Object | None) -> None:
        for claim in (new, old):
            if claim is not None and claim["spec"].get("volumeName"):
                self.enqueue((_VOLUME, "", claim["spec"]["volumeName"]))

    def _retry_pending(self) -> None:
        for record in self.cluster.store.all(_CLAIMS):
            if not record.obj["spec"].get("volumeName"):
                self.enqueue((record.namespace, record.name))

    def sync(self, key: Key) -> None:
        """Works on one claim or volume."""
        if key[0] == _VOLUME and len(key) == 3:  # noqa: PLR2004  the kind, "", the name
            self._sync_volume(key[2])
            return
        claim = self.cluster.find(_CLAIMS, key[1], key[0])
        if claim is None or claim["metadata"].get("deletionTimestamp"):
            return
        if (claim["metadata"].get("annotations") or {}).get(_COMPLETED):
            self._sync_bound(claim)
        else:
            self._sync_unbound(claim, key)

    # claims

    def _sync_bound(self, claim: Object) -> None:
        volume = self.cluster.find(_VOLUMES, claim["spec"].get("volumeName", ""))
        if volume is None or (volume["spec"].get("claimRef") or {}).get("uid") not in {
            None,
            claim["metadata"]["uid"],
        }:
            if claim.get("status", {}).get("phase") != "Lost":
                message = "Bound claim has lost its PersistentVolume. Any data on the volume is lost!"
                self.event(claim, "Warning", "ClaimLost", message)
                self.cluster.update_status(
                    _CLAIMS, {**claim, "status": {**claim.get("status", {}), "phase": "Lost"}}
                )
            return
        self._bind(claim, volume)

    def _sync_unbound(self, claim: Object, key: Key) -> None:
        named = claim["spec"].get("volumeName")
        if named:
            volume = self.cluster.find(_VOLUMES, named)
            if volume is not None:
                self._bind_named(claim, volume)
            return
        kind = self.cluster.find(_CLASSES, claim["spec"].get("storageClassName") or "")
        annotations = claim["metadata"].get("annotations") or {}
        delayed = kind is not None and kind.get("volumeBindingMode") == "WaitForFirstConsumer"
        waits = delayed and _SELECTED_NODE not in annotations
        volume = self._best(claim, reserved_only=waits)
        if volume is not None:
            self._bind(claim, volume)
        elif self._gets_default(claim):
            return
        elif waits:
            message = "waiting for first consumer to be created before binding"
            self.event(claim, "Normal", "WaitForFirstConsumer", message)
        elif not claim["spec"].get("storageClassName"):
            message = "no persistent volumes available for this claim and no storage class is set"
            self.event(claim, "Normal", "FailedBinding", message)
        elif kind is None:
            name = claim["spec"]["storageClassName"]
            self.event(
                claim, "Warning", "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found'
            )
        elif kind.get("provisioner") in _PROVISIONERS:
            self._provision(claim, kind)
        else:
            self._wait_for_provisioner(claim, kind, key)

    def _bind_named(self, claim: Object, volume: Object) -> None:
        """Binds a claim to the volume that it names, or says why not."""
        name = volume["metadata"]["name"]
        if volume["spec"].get("claimRef"):
            if self._is_free_for(volume, claim):
                self._bind(claim, volume)
            else:
                message = f'volume "{name}" already bound to a different claim.'
                self.event(claim, "Warning", "FailedBinding", message)
        elif why := _mismatch(volume, claim["spec"]):
            message = f'Cannot bind to requested volume "{name}": {why}'
            self.event(claim, "Warning", "VolumeMismatch", message)
        else:
            self._bind(claim, volume)

    def _gets_default(self, claim: Object) -> bool:
        """Gives a claim that was made when there was no default class the one that there is now."""
        if "storageClassName" in claim["spec"] or OLD_CLASS in (claim["metadata"].get("annotations") or {}):
            return False
        found = newest_default(self.cluster.list(_CLASSES), IS_DEFAULT, OLD_DEFAULT)
        if found is None:
            return False
        spec = {**claim["spec"], "storageClassName": found["metadata"]["name"]}
        self.cluster.update(_CLAIMS, {**claim, "spec": spec})
        return True

    def _wait_for_provisioner(self, claim: Object, kind: Object, key: Key) -> None:
        provisioner = kind.get("provisioner", "")
        annotations = claim["metadata"].get("annotations") or {}
        if provisioner == "kubernetes.io/no-provisioner":
            return
        message = (
            "Waiting for a volume to be created either by the external provisioner "
            f"'{provisioner}' or manually by the system administrator. If volume creation is delayed, "
            "please verify that the provisioner is running and correctly registered."
        )
        if annotations.get(_ASKED[1]) != provisioner:
            asked = {**annotations, **dict.fromkeys(_ASKED, provisioner)}
            self.cluster.update(_CLAIMS, {**claim, "metadata": {**claim["metadata"], "annotations": asked}})
        self.event(claim, "Normal", "ExternalProvisioning", message)
        self.after(_RETRY, key)

    def _provision(self, claim: Object, kind: Object) -> None:
        metadata, spec, provisioner = claim["metadata"], claim["spec"], kind["provisioner"]
        name = f"pvc-{metadata['uid']}"
        where = f"{metadata['namespace']}/{metadata['name']}"
        message = f'External provisioner is provisioning volume for claim "{where}"'
        self.shared.events.record(claim, "Normal", "Provisioning", message, component=provisioner)
        reference = self._reference(claim)
        volume: Object = {
            "kind": "PersistentVolume",
            "apiVersion": "v1",
            "metadata": {
                "name": name,
                "annotations": {_PROVISIONED: provisioner},
                "finalizers": [_IN_USE[_VOLUMES]],
            },
            "spec": {
                "capacity": {"storage": spec["resources"]["requests"]["storage"]},
                **_source(provisioner, f"{name}_{metadata['namespace']}_{metadata['name']}", metadata["uid"]),
                "accessModes": spec["accessModes"],
                "claimRef": reference,
                "persistentVolumeReclaimPolicy": kind.get("reclaimPolicy", "Delete"),
                "storageClassName": kind["metadata"]["name"],
                "volumeMode": spec.get("volumeMode", "Filesystem"),
                **({"mountOptions": kind["mountOptions"]} if kind.get("mountOptions") else {}),
            },
        }
        annotations = {**(metadata.get("annotations") or {}), **dict.fromkeys(_ASKED, provisioner)}
        if annotations != (metadata.get("annotations") or {}):
            claim = self.cluster.update(
                _CLAIMS, {**claim, "metadata": {**metadata, "annotations": annotations}}
            )
        if self.cluster.find(_VOLUMES, name) is None:
            self.cluster.create(_VOLUMES, volume)
            message = f"Successfully provisioned volume {name}"
            self.shared.events.record(
                claim, "Normal", "ProvisioningSucceeded", message, component=provisioner
            )

    def _best(self, claim: Object, *, reserved_only: bool) -> Object | None:
        """The volume that is kept for the claim, or else the smallest that fits."""
        fitting: list[Object] = []
        for volume in self.cluster.list(_VOLUMES):
            if volume["spec"].get("claimRef") and self._is_free_for(volume, claim):
                return volume
            if not reserved_only and not volume["spec"].get("claimRef") and self._fits(volume, claim):
                fitting.append(volume)
        return min(
            fitting,
            key=lambda volume: (
                parse(volume["spec"]["capacity"]["storage"]).nano,
                str(volume["metadata"]["name"]),
            ),
            default=None,
        )

    def _fits(self, volume: Object, claim: Object) -> bool:
        wanted = claim["spec"]
        if volume.get("status", {}).get("phase") != "Available" or _mismatch(volume, wanted):
            return False
        return objects.selects(objects.requirements(wanted.get("selector")), volume)

    def _is_free_for(self, volume: Object, claim: Object) -> bool:
        if volume["metadata"].get("deletionTimestamp"):
            return False
        reference = volume["spec"].get("claimRef")
        if not reference:
            return True
        metadata = claim["metadata"]
        mine = (
            reference.get("namespace") == metadata["namespace"] and reference.get("name") == metadata["name"]
        )
        return mine and reference.get("uid") in {None, "", metadata["uid"]}

    def _reference(self, claim: Object) -> Object:
        metadata = claim["metadata"]
        return {
            "kind": "PersistentVolumeClaim",
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "apiVersion": "v1",
            "resourceVersion": metadata["resourceVersion"],
        }

    def _bind(self, claim: Object, volume: Object) -> None:
        """Ties both together, in four writes, each of which is left out when it changes nothing."""
        reference = volume["spec"].get("claimRef")
        if not reference or reference.get("uid") != claim["metadata"]["uid"]:
            annotations = dict(volume["metadata"].get("annotations") or {})
            if not reference:
                annotations[_BY_CONTROLLER] = "yes"
            metadata = {**volume["metadata"], "annotations": annotations}
            spec = {**volume["spec"], "claimRef": self._reference(claim)}
            volume = self.cluster.update(_VOLUMES, {**volume, "metadata": metadata, "spec": spec})
        volume = self._set_phase(volume, "Bound")
        before = claim["metadata"].get("annotations") or {}
        annotations = {**before, _COMPLETED: "yes"}
        if not claim["spec"].get("volumeName"):
            annotations[_BY_CONTROLLER] = "yes"
        name = volume["metadata"]["name"]
        if annotations != before or claim["spec"].get("volumeName") != name:
            metadata = {**claim["metadata"], "annotations": annotations}
            claim = self.cluster.update(
                _CLAIMS, {**claim, "metadata": metadata, "spec": {**claim["spec"], "volumeName": name}}
            )
        status = {
            **claim.get("status", {}),
            "phase": "Bound",
            "accessModes": volume["spec"]["accessModes"],
            "capacity": {"storage": volume["spec"]["capacity"]["storage"]},
        }
        asked = (claim["spec"].get("resources") or {}).get("requests", {}).get("storage", "0")
        capacity = volume["spec"]["capacity"]["storage"]
        if parse(asked).nano > parse(capacity).nano and self._is_ours(volume):
            spec = {**volume["spec"], "capacity": {"storage": asked}}
            self.cluster.update(_VOLUMES, {**volume, "spec": spec})
            status["capacity"] = {"storage": asked}
        if status != claim.get("status", {}):
            self.cluster.update_status(_CLAIMS, {**claim, "status": status})

    # volumes

    def _is_ours(self, volume: Object) -> bool:
        return (volume["metadata"].get("annotations") or {}).get(_PROVISIONED) in _PROVISIONERS

    def _set_phase(self, volume: Object, phase: str) -> Object:
        status = volume.get("status", {})
        if status.get("phase") == phase:
            return volume
        changed = {**status, "phase": phase, "lastPhaseTransitionTime": clock.stamp(self.now())}
        return self.cluster.update_status(_VOLUMES, {**volume, "status": changed})

    def _sync_volume(self, name: str) -> None:
        volume = self.cluster.find(_VOLUMES, name)
        if volume is None:
            return
        reference = volume["spec"].get("claimRef")
        if not reference or not reference.get("uid"):
            if volume.get("status", {}).get("phase") != "Available":
                self._set_phase(volume, "Available")
                self._retry_pending()
            return
        claim = self.cluster.find(_CLAIMS, reference["name"], reference["namespace"])
        if claim is not None and claim["metadata"]["uid"] == reference["uid"]:
            self._set_phase(volume, "Bound")
            return
        volume = self._set_phase(volume, "Released")
        policy = volume["spec"].get("persistentVolumeReclaimPolicy")
        if policy == "Delete" and self._is_ours(volume) and not volume["metadata"].get("deletionTimestamp"):
            self.cluster.delete(_VOLUMES, name)


class Protection(Controller):
    """Takes the finalizers off claims and volumes that are deleted, when nothing uses them any more."""

    name = "pvc-protection-controller"
    resource = _CLAIMS

    def begin(self) -> None:
        """Watches claims, volumes and pods."""
        self.watch_own(_CLAIMS)
        self.watch(_VOLUMES, self._volume)
        self.watch("pods", self._pod)
        for record in self.cluster.store.all(_VOLUMES):
            self.enqueue((_VOLUME, "", record.name))

    def is_settled(self, record: Record) -> bool:
        """Those that stay."""
        return not record.obj["metadata"].get("deletionTimestamp")

    def _volume(self, _event: str, new: Object | None, _old: Object | None) -> None:
        if new is not None and new["metadata"].get("deletionTimestamp"):
            self.enqueue((_VOLUME, "", new["metadata"]["name"]))

    def _pod(self, event: str, new: Object | None, old: Object | None) -> None:
        pod = new or old
        if pod is None or not (event == "DELETED" or objects.is_finished(pod)):
            return
        for name in claims_of(pod):
            self.enqueue((pod["metadata"]["namespace"], name))

    def sync(self, key: Key) -> None:
        """Works on one claim or volume."""
        if key[0] == _VOLUME and len(key) == 3:  # noqa: PLR2004  the kind, "", the name
            volume = self.cluster.find(_VOLUMES, key[2])
            if volume is not None and volume.get("status", {}).get("phase") != "Bound":
                self._release(_VOLUMES, volume)
            return
        claim = self.cluster.find(_CLAIMS, key[1], key[0])
        if claim is None or not claim["metadata"].get("deletionTimestamp"):
            return
        used = any(
            key[1] in claims_of(record.obj) and not objects.is_finished(record.obj)
            for record in self.cluster.store.all("pods", key[0])
        )
        if not used:
            self._release(_CLAIMS, claim)

    def _release(self, resource: str, obj: Object) -> None:
        metadata = obj["metadata"]
        finalizers = metadata.get("finalizers") or ()
        if not metadata.get("deletionTimestamp") or _IN_USE[resource] not in finalizers:
            return
        kept = [item for item in finalizers if item != _IN_USE[resource]]
        rest = {key: value for key, value in metadata.items() if key != "finalizers"}
        self.cluster.update(resource, {**obj, "metadata": {**rest, "finalizers": kept} if kept else rest})


class EphemeralClaims(Controller):
    """Makes the claims of pods' generic ephemeral volumes."""

    name = "ephemeral-volume-controller"
    resource = "pods"

    def begin(self) -> None:
        """Watches pods that come."""

        def changed(event: str, new: Object | None, _old: Object | None) -> None:
            volumes = (new or {"spec": {}})["spec"].get("volumes") or ()
            if event == "ADDED" and new is not None and any("ephemeral" in volume for volume in volumes):
                self.enqueue((new["metadata"]["namespace"], new["metadata"]["name"]))

        self.watch("pods", changed)

    def is_settled(self, record: Record) -> bool:
        """Those without such volumes."""
        return b'"ephemeral"' not in record.data

    def sync(self, key: Key) -> None:
        """Works on one pod."""
        pod = self.cluster.find("pods", key[1], key[0])
        if pod is None or pod["metadata"].get("deletionTimestamp"):
            return
        for volume in pod["spec"].get("volumes") or ():
            name = f"{key[1]}-{volume['name']}"
            if "ephemeral" not in volume or self.cluster.find(_CLAIMS, name, key[0]) is not None:
                continue
            template = volume["ephemeral"]["volumeClaimTemplate"]
            meta = template.get("metadata") or {}
            claim = {
                "kind": "PersistentVolumeClaim",
                "apiVersion": "v1",
                "metadata": {**meta, "name": name, "ownerReferences": [objects.owned_by(pod)]},
                "spec": template["spec"],
            }
            self.cluster.create(_CLAIMS, claim, namespace=key[0])


def _source(provisioner: str, path: str, uid: str) -> Object:
    """What a provisioned volume is on."""
    if provisioner == PROVISIONER:
        return {"hostPath": {"path": f"/var/local-path-provisioner/{path}"}}
    return {"csi": {"driver": provisioner, "volumeHandle": uid, "fsType": "ext4"}}


def claims_of(pod: Object) -> list[str]:
    """The names of the claims that a pod uses."""
    found: list[str] = []
    for volume in pod["spec"].get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            found.append(volume["persistentVolumeClaim"]["claimName"])
        elif "ephemeral" in volume:
            found.append(f"{pod['metadata']['name']}-{volume['name']}")
    return found


def _mismatch(volume: Object, wanted: Object) -> str:
    """Why a volume is not what a claim's spec asks for, in Kubernetes' words; "" if it is."""
    spec = volume["spec"]
    asked = (wanted.get("resources") or {}).get("requests", {}).get("storage", "0")
    if volume["metadata"].get("deletionTimestamp"):
        return f'the volume is marked for deletion "{volume["metadata"]["name"]}"'
    if parse(spec.get("capacity", {}).get("storage", "0")).nano < parse(asked).nano:
        return "requested PV is too small"
    if (spec.get("storageClassName") or "") != (wanted.get("storageClassName") or ""):
        return "storageClassName does not match"
    if spec.get("volumeMode", "Filesystem") != wanted.get("volumeMode", "Filesystem"):
        return "incompatible volumeMode"
    if not set(wanted.get("accessModes") or ()) <= set(spec.get("accessModes") or ()):
        return "incompatible accessMode"
    return ""
