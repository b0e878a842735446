"""What a kubelet does for one pod, step by step, until it has ended and is gone."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from ecns.embedded.kubernetes import clock
from ecns.embedded.kubernetes.controllers import objects
from ecns.embedded.kubernetes.nodes import (
    changes,
    hooks,
    images,
    inventory,
    preparing,
    probes,
    pulling,
    status,
)
from ecns.embedded.kubernetes.nodes.container import ANNOTATION, Container
from ecns.embedded.kubernetes.nodes.environment import Missing
from ecns.embedded.kubernetes.nodes.process import NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from ecns.embedded.kubernetes.errors import Object
    from ecns.embedded.kubernetes.nodes.kubelet import Kubelets

_STEP = timedelta(milliseconds=10)
_MOMENT = timedelta(seconds=1)
_RESYNC = 15.0
_FIRST_MOUNT, _LAST_MOUNT = 0.5, 122.0
_HARD_KILL = 2.0
_STOPPING = timedelta(milliseconds=100)
_START_ERROR = 128
_DEADLINE = "Pod was active on the node longer than the specified deadline"
_RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
    'runc create failed: unable to start container process: exec: "{}": {}: unknown'
)


class Worker:
    """One pod on its node."""

    def __init__(self, kubelet: Kubelets, pod: Object) -> None:
        self._kubelet = kubelet
        self.uid: str = pod["metadata"]["uid"]
        self.pod = pod
        self.address = ""
        self.writing = False
        self.lacks = False
        self.finished = False
        self._stage = "new"
        self._due: datetime | None = None
        self._mount_pause = _FIRST_MOUNT
        self._stopping = False
        self._phase = ""
        self._reason: tuple[str, str] | None = None
        self._sandbox = False
        spec = pod["spec"]
        annotations = pod["metadata"].get("annotations") or {}
        self.containers = [
            Container(item, kind, annotations.get(ANNOTATION + item["name"], ""))
            for kind, key in (("init", "initContainers"), ("main", "containers"))
            for item in spec.get(key) or ()
        ]
        self._restore(pod)

    def _restore(self, pod: Object) -> None:
        found = pod.get("status", {})
        if not found.get("startTime"):
            return
        self._stage = "mount"
        listed = [
            *(found.get("initContainerStatuses") or ()),
            *(found.get("containerStatuses") or ()),
        ]
        known = {item["name"]: item for item in listed}
        self._add_ephemeral(pod)
        known |= {item["name"]: item for item in found.get("ephemeralContainerStatuses") or ()}
        for container in self.containers:
            if container.name in known:
                container.restore(known[container.name])
        if not found.get("podIP"):
            return
        self.address = found["podIP"]
        self._kubelet.keep_address(self.address, self.uid)
        self._stage, self._sandbox = "run", True
        self._phase = found.get("phase", "")
        for container in self.containers:
            ended = container.terminated
            if container.running or ended is not None:
                began = container.state["running"] if container.running else ended or {}
                self._replay(container, clock.parse(began["startedAt"]))
            elif "waiting" in container.state:
                container.due = self._now()

    def _replay(self, container: Container, began: datetime) -> None:
        """Has a container's command run again from when it began, for its log and what is left of it."""
        state = dict(container.state)
        try:
            machine, command = preparing.machine(self._kubelet, self.pod, self.address, container)
            container.run(machine, command, began)
        except (Missing, NotFound):
            return
        ended = state.get("terminated")
        if ended is not None:
            process = container.process
            if process is not None:
                process.advance(clock.parse(ended["finishedAt"]) + _MOMENT)
            container.log.close()
            container.process = None
        else:
            probes.start(container, self._now(), closed=self._closed())

    def _now(self) -> datetime:
        return self._kubelet.now()

    # one step

    def step(self, pod: Object) -> datetime | None:
        """Does what is due; returns when to come again, None when nothing is awaited."""
        self.pod = pod
        now = self._now()
        self._add_ephemeral(pod)
        if pod["metadata"].get("deletionTimestamp") and not self._stopping:
            self._stop_all(now)
            if self._stage == "run" and self._phase == "Running":
                self._write("Running", now)  # says which generation it has seen
        elif not self._stopping and self._reason is None:
            self._follow(pod, now)
        if self._due is None or self._due <= now:
            self._due = None
            self._advance_stage(now)
        if self._stage == "run":
            self._check_deadline(now)
            self._run(now)
        return self._wake()

    def _follow(self, pod: Object, now: datetime) -> None:
        replaced, resources = changes.follow(pod, self.containers)
        for container in replaced:
            container.backoff = 0.0
            if container.running:
                container.changed = True
                message = f"Container {container.name} definition changed, will be restarted"
                self._terminate(container, now, _HARD_KILL, message)
            elif container.due is not None:
                container.due = now
        if resources:
            self._kubelet.say(pod, "Normal", "ResizeStarted", f"Pod resize started: {resources}")
            self._kubelet.say(pod, "Normal", "ResizeCompleted", f"Pod resize completed: {resources}")

    def _advance_stage(self, now: datetime) -> None:
        if self._stopping and self._stage in {"new", "mount"}:
            self._stage = "run"
        elif self._stage == "new":
            initial = (
                "PodInitializing"
                if any(item.kind == "init" for item in self.containers)
                else "ContainerCreating"
            )
            for container in self.containers:
                container.waits(initial)
            self._write("Pending", now)
            self._stage, self._due = "mount", now + _STEP
        elif self._stage == "mount":
            why = preparing.environment(self._kubelet, self.pod, self.address).missing_volume()
            if why:
                self.lacks = True
                self._kubelet.say(self.pod, "Warning", "FailedMount", why)
                self._due = now + timedelta(seconds=self._mount_pause)
                self._mount_pause = min(self._mount_pause * 2, _LAST_MOUNT)
                return
            self.lacks = False
            self._sandbox = True
            self._write("Pending", now)
            spec = self.pod["spec"]
            node = spec["nodeName"]
            self.address = (
                inventory.NODES[node] if spec.get("hostNetwork") else self._kubelet.address(node, self.uid)
            )
            self._stage, self._due = "run", now + _STEP

    def retry(self) -> None:
        """Looks again for what was missing."""
        now = self._now()
        self._due = now
        for container in self.containers:
            if container.state.get("waiting", {}).get("reason") == "CreateContainerConfigError":
                container.due = now

    def _wake(self) -> datetime | None:
        if self.finished:
            return None
        found = [self._due]
        if self._stage == "run":
            found += [container.wake() for container in self.containers]
            deadline = self._deadline()
            if deadline is not None and self._reason is None:
                found.append(deadline)
        return min((moment for moment in found if moment is not None), default=None)

    def _run(self, now: datetime) -> None:
        if self._due is not None:
            return
        through = False
        for container in self.containers:
            if container.advance(now):
                self._ended(container, now)
                through = through or container.kind == "init"
        if self._stopping and any(container.term_at is not None for container in self.containers):
            return
        if through and not self._stopping and status.phase_of(self.pod, self.containers) == "Pending":
            self._write("Pending", now)
            self._due = now + _STEP
            return
        if not self._stopping and self._reason is None:
            self._start_due(now)
        self._probe(now)
        ended = status.phase_of(self.pod, self.containers)
        if self._reason is not None and not self._still_running():
            ended = "Failed"
        if self._stopping and not self._still_running():
            self._end(ended, now)
            return
        over = ended in {"Succeeded", "Failed"} and not self._still_running(main=True)
        if over and self._still_running():
            self._stop_sidecars(now)
        if over and not self._still_running():
            if self._phase != ended and not self._shown(ended):
                self._write(
                    "Running" if status.is_initialized(self.containers) else "Pending", now, ended=ended
                )
                self._due = now + _STEP
                return
            self._sandbox = False
            self._write(ended, now)
            self.finished = not self.pod["metadata"].get("deletionTimestamp")
            return
        self._write(ended if ended in {"Pending", "Running"} else "Running", now)

    def _shown(self, ended: str) -> bool:
        ready = objects.condition(self.pod, "ContainersReady") or {}
        return ready.get("reason") == ("PodCompleted" if ended == "Succeeded" else "PodFailed")

    def _still_running(self, *, main: bool = False) -> bool:
        return any(item.running and (not main or item.kind == "main") for item in self.containers)

    # starting

    def _start_due(self, now: datetime) -> None:
        for container in self.containers:
            if container.kind == "ephemeral":
                if container.due is not None and container.due <= now:
                    self._start(container, now)
                continue
            if container.kind == "init":
                if self._start_init(container, now):
                    continue
                return
            if not container.running and self._may_start(container, now):
                self._start(container, now)

    def _start_init(self, container: Container, now: datetime) -> bool:
        """Starts an init container when it is its turn; whether the next may come."""
        ended = container.terminated
        if container.is_sidecar:
            if not container.running and self._may_start(container, now):
                self._start(container, now)
                if container.started:
                    self._due = now + _STEP
            return container.running and container.started and self._due is None
        if ended is not None and ended["exitCode"] == 0:
            return True
        if not container.running and self._may_start(container, now):
            self._start(container, now)
        return False

    def _may_start(self, container: Container, now: datetime) -> bool:
        ended = container.terminated
        if ended is not None and container.due is None:
            return False
        if container.due is None or container.due > now:
            first = container.due is None and ended is None
            if not first and container.due is not None and ended is not None and container.backoff:
                return False
            return first
        return True

    def _start(self, container: Container, now: datetime) -> None:
        container.due = None
        ended = container.terminated
        if container.state.get("waiting", {}).get("reason") == "RunContainerError":
            ended = container.last["terminated"]
        if ended is not None and container.backoff:
            finished = clock.parse(ended["finishedAt"])
            if finished + timedelta(seconds=container.backoff) > now:
                self._back_off(container, ended, finished)
                return
        image = images.read(container.spec["image"])
        store = self._kubelet.images[self.pod["spec"]["nodeName"]]
        if not pulling.has(container, image, store, now, partial(self._say, container)):
            return
        try:
            preparing.check_user(self.pod, container.spec, image)
            machine, command = preparing.machine(self._kubelet, self.pod, self.address, container)
        except Missing as missing:
            container.waits("CreateContainerConfigError", str(missing))
            self._say(container, "Warning", "Failed", f"Error: {missing}")
            container.due = now + timedelta(seconds=_RESYNC)
            self.lacks = True
            return
        try:
            container.launch(machine, command, image.id, image.full, now)
        except NotFound:
            self._cannot_start(container, command[0], image, now)
            return
        self._say(container, "Normal", "Created", "Container created")
        self._say(container, "Normal", "Started", "Container started")
        if hooks.fails(container, "postStart", now):
            self._say(container, "Warning", "FailedPostStartHook", "PostStartHook failed")
            self._terminate(container, now, _HARD_KILL, "FailedPostStartHook")
            return
        probes.start(container, self._now(), closed=self._closed())
        container.advance_quietly(now)
        if container.process is not None and container.process.exit_code is not None:
            self._due = now + _STEP  # what ends at once is seen running first

    def _back_off(self, container: Container, ended: Object, finished: datetime) -> None:
        seconds = int(container.backoff)
        metadata = self.pod["metadata"]
        where = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
        pause = f"{seconds // 60}m{seconds % 60}s" if seconds >= 60 else f"{seconds}s"  # noqa: PLR2004  a minute
        container.last = {"terminated": ended}
        container.waits(
            "CrashLoopBackOff", f"back-off {pause} restarting failed container={container.name} pod={where}"
        )
        message = f"Back-off restarting failed container {container.name} in pod {where}"
        self._say(container, "Warning", "BackOff", message)
        container.due = finished + timedelta(seconds=seconds)

    def _cannot_start(self, container: Container, program: str, image: images.Image, now: datetime) -> None:
        why = "no such file or directory" if program.startswith("/") else "executable file not found in $PATH"
        if program.startswith("/"):
            why = f"stat {program}: {why}"
        message = _RUNC.format(program, why)
        container.last = {
            "terminated": {
                "exitCode": _START_ERROR,
                "reason": "StartError",
                "message": message,
                "startedAt": "1970-01-01T00:00:00Z",
                "finishedAt": clock.stamp(now),
                "containerID": container.id,
            }
        }
        container.waits("RunContainerError", message)
        container.image, container.image_id = image.full, image.id
        self._say(container, "Normal", "Created", "Container created")
        self._say(container, "Warning", "Failed", f"Error: {message}")
        policy = self.pod["spec"].get("restartPolicy", "Always")
        if policy == "Never":
            container.state = dict(container.last)
            container.last = {}
            return
        if container.restarts == 0:
            container.due = now + _MOMENT / 2
        else:
            container.backoff = images.next_backoff(container.backoff)
            container.due = now + _MOMENT

    # ending

    def _ended(self, container: Container, now: datetime) -> None:
        ended = container.state["terminated"]
        if self._stopping or self._reason is not None or container.kind == "ephemeral":
            return
        policy = self.pod["spec"].get("restartPolicy", "Always")
        again = (
            container.is_sidecar or policy == "Always" or (policy == "OnFailure" and ended["exitCode"] != 0)
        )
        if container.kind == "init" and not container.is_sidecar:
            again = policy != "Never" and ended["exitCode"] != 0
        if not again and not container.changed:
            return
        if container.restarts == 0 or container.changed:
            container.changed = False
            container.due = now + _MOMENT / 2
        else:
            container.backoff = images.next_backoff(container.backoff)
            container.due = now + _MOMENT

    def _stop_all(self, now: datetime) -> None:
        self._stopping = True
        grace = float(self.pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        for container in self.containers:
            container.due = None
            if container.running:
                self._say(container, "Normal", "Killing", f"Stopping container {container.name}")
                if hooks.fails(container, "preStop", now):
                    self._say(container, "Warning", "FailedPreStopHook", "PreStopHook failed")
                container.probes = {}
                container.term_at = now + min(_STOPPING, timedelta(seconds=grace))
                container.kill_at = now + timedelta(seconds=min(grace, _HARD_KILL))

    def _stop_sidecars(self, now: datetime) -> None:
        for container in self.containers:
            if container.running and container.kill_at is None:
                self._terminate(container, now, _HARD_KILL, f"Stopping container {container.name}")
                if container.advance(now):
                    container.due = None

    def _terminate(self, container: Container, now: datetime, grace: float, message: str) -> None:
        self._say(container, "Normal", "Killing", message)
        container.probes = {}
        if container.process is not None:
            container.process.signal("TERM", now)
        container.kill_at = now + timedelta(seconds=min(grace, _HARD_KILL))

    def _end(self, ended: str, now: datetime) -> None:
        """The containers of a pod that is deleted have ended: it may go."""
        metadata = self.pod["metadata"]
        self._sandbox = False
        for container in self.containers:
            if "waiting" in container.state and container.kind != "init":
                ended = "Failed" if ended not in {"Succeeded", "Failed"} else ended
        if self._write(ended if ended in {"Succeeded", "Failed"} else "Failed", now):
            self._due = now + _STEP
            return
        current = self._kubelet.cluster.find("pods", metadata["name"], metadata["namespace"])
        if current is None or current["metadata"]["uid"] != self.uid:
            return
        kept = bool(current["metadata"].get("finalizers"))
        if kept and not current["metadata"].get("deletionGracePeriodSeconds"):
            return
        self.finished = not kept
        self._kubelet.cluster.delete("pods", metadata["name"], metadata["namespace"], grace_seconds=0)

    def abandon(self) -> None:
        """The pod is gone from the API: its processes are killed."""
        for container in self.containers:
            if container.running:
                if not self._stopping:
                    self._say(container, "Normal", "Killing", f"Stopping container {container.name}")
                if container.process is not None:
                    container.process.kill()
                container.log.close()

    def _deadline(self) -> datetime | None:
        seconds = self.pod["spec"].get("activeDeadlineSeconds")
        started = self.pod.get("status", {}).get("startTime")
        return clock.parse(started) + timedelta(seconds=seconds) if seconds and started else None

    def _check_deadline(self, now: datetime) -> None:
        deadline = self._deadline()
        if deadline is None or deadline > now or self._reason is not None or self._stopping:
            return
        self._reason = "DeadlineExceeded", _DEADLINE
        self._kubelet.say(self.pod, "Normal", "DeadlineExceeded", _DEADLINE)
        for container in self.containers:
            container.due = None
            if container.running:
                self._terminate(container, now, _HARD_KILL, f"Stopping container {container.name}")

    def _add_ephemeral(self, pod: Object) -> None:
        known = {container.name for container in self.containers}
        for item in pod["spec"].get("ephemeralContainers") or ():
            if item["name"] not in known:
                container = Container(item, "ephemeral", "")
                container.waits("ContainerCreating")
                container.due = self._now()
                self.containers.append(container)

    # probes

    def _closed(self) -> bool:
        """Whether nothing in the pod listens: system images with commands of their own."""
        return not any(container.serves for container in self.containers)

    def _probe(self, now: datetime) -> None:
        for container, kind, probe in probes.due(self.containers, now):
            found = probes.make(container, kind, probe, now, self.address if self._closed() else "")
            if found.fault:
                self._say(container, "Warning", "Unhealthy", found.fault)
            if not found.kills:
                continue
            message = f"Container {container.name} failed {kind} probe, will be restarted"
            self._terminate(container, now, _HARD_KILL, message)
            if container.advance(now):
                self._ended(container, now)

    # writing

    def _say(self, container: Container, kind: str, reason: str, message: str) -> None:
        self._kubelet.say(self.pod, kind, reason, message, container.field_path)

    def _write(self, phase: str, now: datetime, *, ended: str = "") -> bool:
        """Writes the status; whether that changed it."""
        metadata = self.pod["metadata"]
        current = self._kubelet.cluster.find("pods", metadata["name"], metadata["namespace"])
        if current is None or current["metadata"]["uid"] != self.uid:
            return False
        self.pod = current
        old, at = current.get("status", {}), clock.stamp(now)
        conditions = status.Conditions(
            current, self.containers, ended=ended or phase, sandbox=self._sandbox, at=at
        ).build()
        host = inventory.NODES[current["spec"]["nodeName"]]
        new: Object = {
            **{key: old[key] for key in ("nominatedNodeName", "resize", "qosClass") if key in old},
            "observedGeneration": current["metadata"].get("generation", 1),
            "phase": phase,
            "conditions": conditions,
            "hostIP": host,
            "hostIPs": [{"ip": host}],
            "startTime": old.get("startTime", at),
        }
        if self._reason is not None:
            new["reason"], new["message"] = self._reason
        else:
            new |= {key: old[key] for key in ("reason", "message") if key in old}
        if self.address:
            new |= {"podIP": self.address, "podIPs": [{"ip": self.address}]}
        for key, kind in (
            ("initContainerStatuses", "init"),
            ("containerStatuses", "main"),
            ("ephemeralContainerStatuses", "ephemeral"),
        ):
            found = [container.status() for container in self.containers if container.kind == kind]
            if found:
                new[key] = found
        new |= status.resources_of(self.containers)
        self._phase = phase
        if new == old:
            return False
        self.writing = True
        try:
            self.pod = self._kubelet.cluster.update_status("pods", {**current, "status": new})
        finally:
            self.writing = False
        return True
