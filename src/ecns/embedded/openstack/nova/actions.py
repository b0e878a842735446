"""What is done with servers that are there: stop, start, reboot, rebuild, suspend, resize and their kin."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ecns.embedded.openstack.errors import bad, conflict, missing
from ecns.embedded.openstack.http import Answer
from ecns.embedded.openstack.nova import quotas
from ecns.embedded.openstack.nova.views import addresses_of, show
from ecns.embedded.openstack.service import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecns.embedded.openstack.nova.service import Nova
    from ecns.embedded.openstack.service import Call
    from ecns.embedded.openstack.store import Body

SECONDS = 0.2


@dataclass(frozen=True)
class Step:
    """An action that takes a moment.

    Args:
        word: as refusals call it.
        states: in which it may begin.
        task: what a server does meanwhile.
        ends: the state it ends in.
        power: what the hypervisor says then.
    """

    word: str
    states: frozenset[str]
    task: str
    ends: str
    power: int


_RUNS = frozenset({"active"})
STEPS = {
    "os-stop": Step("stop", frozenset({"active", "rescued", "error"}), "powering-off", "stopped", 4),
    "os-start": Step("start", frozenset({"stopped"}), "powering-on", "active", 1),
    "suspend": Step("suspend", _RUNS, "suspending", "suspended", 4),
    "resume": Step("resume", frozenset({"suspended"}), "resuming", "active", 1),
    "pause": Step("pause", _RUNS, "pausing", "paused", 3),
    "unpause": Step("unpause", frozenset({"paused"}), "unpausing", "active", 1),
    "rescue": Step("rescue", frozenset({"active", "stopped", "error"}), "rescuing", "rescued", 1),
    "unrescue": Step("unrescue", frozenset({"rescued"}), "unrescuing", "active", 1),
    "shelve": Step(
        "shelve", frozenset({"active", "stopped", "paused", "suspended"}), "shelving", "shelved_offloaded", 4
    ),
    "unshelve": Step("unshelve", frozenset({"shelved_offloaded"}), "unshelving", "active", 1),
    "SOFT": Step("reboot", _RUNS, "rebooting", "active", 1),
    "HARD": Step(
        "reboot",
        frozenset({"active", "stopped", "paused", "suspended", "error"}),
        "rebooting_hard",
        "active",
        1,
    ),
    "rebuild": Step("rebuild", frozenset({"active", "stopped", "error"}), "rebuilding", "active", 1),
    "resize": Step("resize", frozenset({"active", "stopped"}), "resize_prep", "resized", 1),
}
_ENDS = {step.task: step for step in STEPS.values()}


class Actions:
    """`POST /servers/{id}/action`, and what else hangs on a server."""

    def __init__(self, nova: Nova) -> None:
        self.nova = nova
        self.store = nova.store
        server = "/servers/{id}"
        nova.route("POST", f"{server}/action", self._act, "member", "os_compute_api:servers:action")
        nova.route("GET", f"{server}/ips", self._ips)
        nova.route("GET", f"{server}/os-interface", self._interfaces)
        nova.route("DELETE", f"{server}/os-interface/{{port}}", self._unplug, "member")
        nova.route("GET", f"{server}/os-security-groups", self._groups)
        nova.route("GET", f"{server}/os-instance-actions", self._history)
        nova.route(
            "GET",
            f"{server}/tags",
            lambda call: Answer(body={"tags": self.nova.servers.found(call)["_tags"]}),
        )
        self._others: dict[str, Callable[[Call, Body, Any], Answer]] = {
            "reboot": self._reboot,
            "rebuild": self._rebuild,
            "resize": self._resize,
            "confirmResize": self._confirm,
            "revertResize": self._revert,
            "lock": self._lock,
            "unlock": self._unlock,
            "createImage": self._image,
            "os-getConsoleOutput": self._console,
            "addSecurityGroup": self._add_group,
            "removeSecurityGroup": self._remove_group,
            "os-resetState": self._reset,
            "forceDelete": lambda call, _server, _argument: self.nova.servers._deleted(call),  # noqa: SLF001  the same
        }

    def resume(self) -> None:
        """Go on with what servers were at."""
        for server in self.store.all("servers"):
            if server["_task"] in _ENDS:
                self.nova.cloud.later(SECONDS, self._ended, server["id"])

    def _act(self, call: Call) -> Answer:
        sent = call.json()
        if not isinstance(sent, dict) or len(sent) != 1:
            raise bad("Malformed request body")
        action, argument = next(iter(sent.items()))
        server = self.nova.servers.found(call)
        if server["_locked"] and action not in {"unlock", "lock"} and not call.caller.admin:
            raise conflict(f"Instance {server['id']} is locked")
        if action in self._others:
            return self._others[action](call, server, argument)
        if action not in STEPS or action.isupper():
            raise bad(f"There is no such action: {action}")
        self.begin(call, server, STEPS[action])
        return Answer(HTTPStatus.ACCEPTED)

    def begin(self, call: Call, server: Body, step: Step) -> None:
        """Start an action.

        Raises:
            ProblemError: 409, the server is not in a state for it.
        """
        said = f"Cannot '{step.word}' instance {server['id']} while it is in"
        if server["_task"] is not None:
            raise conflict(f"{said} task_state {server['_task']}")
        if server["_state"] not in step.states:
            raise conflict(f"{said} vm_state {server['_state']}")
        self.nova.servers.record(call, server, step.word)
        server["_task"] = step.task
        self.store.save("servers", server)
        self.nova.cloud.later(SECONDS, self._ended, server["id"])

    def _ended(self, identity: str) -> None:
        server = self.store.get("servers", identity)
        step = _ENDS.get(server["_task"] or "") if server else None
        if server is None or step is None:
            return
        server |= {"_state": step.ends, "_task": None, "_power": step.power, "_fault": None, "updated": now()}
        self.store.save("servers", server)

    def _reboot(self, call: Call, server: Body, argument: Any) -> Answer:
        kind = str(argument.get("type")).upper() if isinstance(argument, dict) else ""
        if kind not in {"SOFT", "HARD"}:
            raise bad(
                f"Invalid input for field/attribute type. Value: {kind}. '{kind}' is not one of ['HARD', "
                "'SOFT']"
            )
        self.begin(call, server, STEPS[kind])
        return Answer(HTTPStatus.ACCEPTED)

    def _rebuild(self, call: Call, server: Body, argument: Any) -> Answer:
        reference = argument.get("imageRef") if isinstance(argument, dict) else None
        image = self.nova.cloud.glance.seen(call.caller, str(reference))
        if image is None:
            raise bad("Cannot find image for rebuild")
        self.begin(call, server, STEPS["rebuild"])
        server["_image"] = image["id"]
        if isinstance(argument.get("metadata"), dict):
            server["metadata"] = self.nova.servers.checked_metadata(argument["metadata"], call.caller)
        server["name"] = argument.get("name") or server["name"]
        self.store.save("servers", server)
        shown = show(self.nova, call, server) | {"addresses": addresses_of(self.nova, server, detail=False)}
        return Answer(
            HTTPStatus.ACCEPTED, {"server": shown}, {"Location": f"{call.base}/servers/{server['id']}"}
        )

    def _resize(self, call: Call, server: Body, argument: Any) -> Answer:
        reference = argument.get("flavorRef") if isinstance(argument, dict) else None
        flavor = self.nova.flavors.found(call.caller, reference)
        if flavor is None:
            raise bad(f"Flavor {reference} could not be found.")
        old = server["_flavor"]
        if flavor["id"] == old["id"]:
            raise bad("When resizing, instances must change flavor!")
        wanted = {"cores": flavor["vcpus"] - old["vcpus"], "ram": flavor["ram"] - old["ram"]}
        quotas.check(
            self.store, server["project_id"], {name: more for name, more in wanted.items() if more > 0}
        )
        self.begin(call, server, STEPS["resize"])
        server["_old_flavor"] = old
        server["_flavor"] = {key: flavor[key] for key in old}
        self.store.save("servers", server)
        return Answer(HTTPStatus.ACCEPTED)

    def _resized(self, server: Body, word: str) -> None:
        if server["_state"] != "resized":
            raise bad(f"Cannot '{word}' instance {server['id']} while it is in vm_state {server['_state']}")

    def _confirm(self, call: Call, server: Body, _: Any) -> Answer:
        self._resized(server, "confirmResize")
        self.nova.servers.record(call, server, "confirmResize")
        server["_state"] = "active"
        self.store.save("servers", server)
        return Answer(HTTPStatus.NO_CONTENT)

    def _revert(self, call: Call, server: Body, _: Any) -> Answer:
        self._resized(server, "revertResize")
        self.nova.servers.record(call, server, "revertResize")
        server |= {"_state": "active", "_flavor": server.pop("_old_flavor")}
        self.store.save("servers", server)
        return Answer(HTTPStatus.ACCEPTED)

    def _lock(self, call: Call, server: Body, _: Any) -> Answer:
        self.nova.servers.record(call, server, "lock")
        server["_locked"] = True
        self.store.save("servers", server)
        return Answer(HTTPStatus.ACCEPTED)

    def _unlock(self, call: Call, server: Body, _: Any) -> Answer:
        self.nova.servers.record(call, server, "unlock")
        server["_locked"] = False
        self.store.save("servers", server)
        return Answer(HTTPStatus.ACCEPTED)

    def _image(self, call: Call, server: Body, argument: Any) -> Answer:
        name = argument.get("name") if isinstance(argument, dict) else None
        if not isinstance(name, str) or not name:
            raise bad(f"Invalid input for field/attribute name. Value: {name}. {name!r} is not a valid name")
        identity = self.nova.cloud.glance.of_server(call.caller, server, name, argument.get("metadata") or {})
        headers = {"Location": f"http://127.0.0.1/images/{identity}"}
        body = None if call.version < (2, 45) else {"image_id": identity}
        return Answer(HTTPStatus.ACCEPTED, body, headers)

    def _console(self, _call: Call, server: Body, argument: Any) -> Answer:
        lines = [f"{server['name']} login: "]
        length = argument.get("length") if isinstance(argument, dict) else None
        return Answer(body={"output": "\n".join(lines if length is None else lines[-int(length) :])})

    def _group_of(self, server: Body, argument: Any) -> Body:
        name = argument.get("name") if isinstance(argument, dict) else None
        for group in self.store.all("security-groups"):
            if group["project_id"] == server["project_id"] and name in {group["name"], group["id"]}:
                return group
        raise missing(f"Security group {name} not found for project {server['project_id']}.")

    def _add_group(self, _call: Call, server: Body, argument: Any) -> Answer:
        group = self._group_of(server, argument)
        for port in self._ports(server):
            port["security_groups"] = sorted({*port["security_groups"], group["id"]})
            self.nova.cloud.neutron.touch("ports", port)
        server["_groups"] = list(dict.fromkeys([*server["_groups"], group["name"]]))
        self.store.save("servers", server)
        return Answer(HTTPStatus.ACCEPTED)

    def _remove_group(self, _call: Call, server: Body, argument: Any) -> Answer:
        group = self._group_of(server, argument)
        if group["name"] not in server["_groups"]:
            raise conflict(f"Security group {group['id']} not associated with the instance {server['id']}")
        for port in self._ports(server):
            port["security_groups"] = [one for one in port["security_groups"] if one != group["id"]]
            self.nova.cloud.neutron.touch("ports", port)
        server["_groups"].remove(group["name"])
        self.store.save("servers", server)
        return Answer(HTTPStatus.ACCEPTED)

    def _reset(self, call: Call, server: Body, argument: Any) -> Answer:
        if not call.caller.admin:
            raise self.nova.disallowed("os_compute_api:os-admin-actions:reset_state")
        state = argument.get("state") if isinstance(argument, dict) else None
        if state not in {"active", "error"}:
            raise bad(
                f"Invalid input for field/attribute state. Value: {state}. {state!r} is not one of "
                "['active', 'error']"
            )
        server |= {"_state": state, "_task": None}
        self.store.save("servers", server)
        return Answer(HTTPStatus.ACCEPTED)

    # What hangs on a server

    def _ports(self, server: Body) -> list[Body]:
        return [port for port in self.store.all("ports") if port["device_id"] == server["id"]]

    def _ips(self, call: Call) -> Answer:
        return Answer(
            body={"addresses": addresses_of(self.nova, self.nova.servers.found(call), detail=False)}
        )

    def _unplug(self, call: Call) -> Answer:
        server, port_id = self.nova.servers.found(call), call.names["port"]
        for port in self._ports(server):
            if port["id"] == port_id:
                self.nova.servers.life.unplug(port)
                return Answer(HTTPStatus.ACCEPTED)
        raise missing(f"Instance {server['id']} does not have port {port_id}.")

    def _interfaces(self, call: Call) -> Answer:
        found = [
            {
                "net_id": port["network_id"],
                "port_id": port["id"],
                "mac_addr": port["mac_address"],
                "port_state": port["status"],
                "fixed_ips": port["fixed_ips"],
            }
            for port in self._ports(self.nova.servers.found(call))
        ]
        return Answer(body={"interfaceAttachments": found})

    def _groups(self, call: Call) -> Answer:
        server = self.nova.servers.found(call)
        wanted = {group for port in self._ports(server) for group in port["security_groups"]}
        found = [
            {
                "id": group["id"],
                "name": group["name"],
                "description": group["description"],
                "tenant_id": group["project_id"],
                "rules": [],
            }
            for group in self.store.all("security-groups")
            if group["id"] in wanted
        ]
        return Answer(body={"security_groups": found})

    def _history(self, call: Call) -> Answer:
        return Answer(body={"instanceActions": list(reversed(self.nova.servers.found(call)["_actions"]))})
