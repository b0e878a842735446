"""Who may do what: oslo.policy rules, one for each operation of the reference.

The defaults are here; a `policy.yaml` (`identity.policy_file`) overrides any of them and is read again when
it changes. What a namespace allows (its users and roles) comes on top, in `ecns.identity.place`.

Source: https://docs.openstack.org/oslo.policy/latest/ ; roles: reference chapter 1.12 (`role`: Developer,
Visitor) and Keystone's own hierarchy admin > manager > member > reader.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import msgspec
import structlog
from oslo_config import cfg
from oslo_policy import policy as oslo

from ecns.config import ConfigError
from ecns.errors import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecns.identity.caller import Caller

log = structlog.get_logger(__name__)

PREFIX = "ecns:"

BASE = {
    "cloud_admin": ("role:admin", "Cloud administrator: everything, in every project."),
    "project_admin": (
        "rule:cloud_admin or role:manager or role:project_admin",
        "Project administrator: the project's namespaces, their quotas, rights and users.",
    ),
    "member": ("rule:project_admin or role:member", "Developer: reads and changes what is in namespaces."),
    "reader": ("rule:member or role:reader", "Visitor: reads what is in namespaces."),
}
"""The base rules that operations refer to: name → check, meaning."""

TABLE = """
app.list reader GET /applications/ list applications
app.create member POST /applications/ create application
app.describe member PUT /applications/{name}/ change application description
app.show reader GET /applications/app/{name}/ application detail
app.start member PUT /applications/app/?action=start start applications (batch)
app.recreate member PUT /applications/app/?action=recreate redeploy applications (batch)
app.delete member DELETE /applications/app/ delete applications (batch, cascade)
node.list reader GET /cluster/nodes/ cluster nodes
node.roles reader GET /cluster/nodesrole/ cluster node roles
configmap.list reader GET /kubernetes/configmaps/ list configmaps
configmap.keys reader GET /kubernetes/configmap/{name}/keys/ list a configmap's keys
configmap.create member POST /kubernetes/configmap/{name}/ create configmap
configmap.show reader GET /kubernetes/configmap/{name}/ configmap detail
configmap.update member PATCH /kubernetes/configmap/{name}/ update configmap
configmap.delete member DELETE /kubernetes/configmaps/ delete configmaps (batch)
cronjob.list reader GET /cronjobs/ list cronjobs
cronjob.create member POST /cronjobs/ create cronjob
cronjob.start_stop member PUT /cronjobs/ start or stop cronjobs
cronjob.delete member DELETE /cronjobs/ delete cronjobs (batch)
cronjob.show reader GET /cronjobs/cronjob/{name}/ cronjob detail
cronjob.run member POST /cronjobs/cronjob/{name}/run/ run a cronjob now
cronjob.attach member PUT /cronjobs/?action=attach attach cronjobs to an application (batch)
cronjob.detach member PUT /cronjobs/?action=detach detach cronjobs (batch)
secret.list reader GET /kubernetes/secret/ list secrets
secret.keys reader GET /kubernetes/secret/{name}/keys/ list a secret's keys
secret.create member POST /kubernetes/secret/ create secret
secret.update member PATCH /kubernetes/secret/ update secret
secret.delete member DELETE /kubernetes/secret/ delete secrets (batch)
secret.show reader GET /kubernetes/secret/{name}/ secret detail
workspace.create member POST /images/harbor_project create workspace
workspace.list reader GET /images/harbor_projects/ list workspaces
workspace.show reader GET /images/harbor_project/{project} workspace detail
workspace.update member PUT /images/harbor_project/{project} workspace access setting
workspace.delete member DELETE /images/harbor_project/ delete workspaces (batch)
vm.list reader GET /virtualmachine/ list VM workloads
vm.show reader GET /virtualmachine/{name}/ VM workload detail
vm.scale member PATCH /virtualmachine/{name}/?action=scale scale a VM workload
vm.start member PUT /virtualmachine/?action=start start VM workloads (batch)
vm.stop member PUT /virtualmachine/?action=stop stop VM workloads (batch)
vm.recreate member PUT /virtualmachine/?action=recreate make VM workloads anew (batch)
vm.delete member DELETE /virtualmachine/ delete VM workloads (batch)
hybrid.list reader GET /applications/?type=Hybrid list hybrid applications
hybrid.create member POST /applications/ create hybrid application (VM groups beside containers)
hybrid.show reader GET /applications/app/{name}/?type=Hybrid hybrid application detail
hybrid.delete member DELETE /applications/app/ delete hybrid application
image.volumes reader GET /images/systeminfo/volumes image storage space
image.gc_start_stop cloud_admin POST /images/system/gc/schedule start or stop garbage collection
image.gc_status reader GET /images/system/gc/schedule garbage collection status
image.list reader GET /images/repositories/ list images
image.tags reader GET /images/repositories/{project}/{image}/tags/ list an image's tags
image.show reader GET /images/repositories/{project}/{image} image detail
image.upload member POST /images/upload_image/ upload an image through the page
image.loginfo member GET /images/loginfo/ push login information
image.describe member PUT /images/repositories/{project}/{image} edit image description
image.delete member DELETE /images/repositories/ delete images (batch)
image.delete_tags member DELETE /images/repositories/{project}/{image}/tags/ delete an image's tags (batch)
job.list reader GET /jobs/ list jobs
job.create member POST /jobs/ create job
job.delete member DELETE /jobs/ delete jobs (batch)
job.show reader GET /jobs/job/{name}/ job detail
job.attach member PUT /jobs/?action=attach attach jobs to an application (batch)
job.detach member PUT /jobs/?action=detach detach jobs (batch)
namespace.list reader GET /namespace/clustertype/{cluster_type}/ list namespaces by cluster type
namespace.create project_admin POST /namespace/ create namespace
namespace.delete_many project_admin DELETE /namespace/ delete namespaces (batch)
namespace.delete project_admin DELETE /namespace/cluster/{cluster}/ns/{namespace}/ delete namespace
namespace.psp project_admin PATCH /namespace/cluster/{cluster}/ns/{namespace}/psp/ set security policy
namespace.users project_admin PATCH /namespace/cluster/{cluster}/ns/{namespace}/user_ids/ change visible users
namespace.set_quota project_admin PATCH /namespace/cluster/{cluster}/ns/{namespace}/quota/ set quota
namespace.quota reader GET /namespace/cluster/{cluster}/ns/{namespace}/quota/ get quota
namespace.switch reader GET /namespace/{project_id}/cluster/{cluster}/ns/{namespace}/ switch to it
namespace.tree reader GET /namespace/ project > cluster > namespace selector
misc.caps_default reader GET /applications/kernel-capabilities/default default kernel capabilities
misc.caps_all reader GET /applications/kernel-capabilities/all settable kernel capabilities
misc.exists reader GET /resources/{type}/{name}/ uniqueness check of a resource name
misc.k8s_versions reader GET /container_infra/k8sversions/ Kubernetes versions a cluster can be created with
overview.pods reader GET /overview/pods_status/ pods by state
overview.pvcs reader GET /overview/pvc_status/ PVCs by state
overview.openstack reader GET /overview/openstack_status/ servers and load balancers by state
pvc.create member POST /kubernetes/pvc/{name}/ create PVC
pvc.expand member PATCH /kubernetes/pvc/{name}/ expand PVC
pvc.delete member DELETE /kubernetes/pvc/{name}/ delete PVC
pod.show reader GET /pods/pod/{name}/ pod detail with conditions and events
pod.delete member DELETE /pods/ delete pod
pod.list reader GET /pods/ list pods
raw.show reader GET /_raw/{kind}/name/{name}/ view a resource as YAML
raw.update member PUT /_raw/{kind}/name/{name}/ edit a resource or an application as YAML
raw.create member POST /_raw/{kind}/name/{name}/ create resources from uploaded YAML
raw.show_cluster cloud_admin GET /_raw/{kind}/name/{name}/ view what belongs to no namespace as YAML
raw.change_cluster cloud_admin PUT /_raw/{kind}/name/{name}/ make or edit what belongs to no namespace as YAML
pod.logs reader GET /pods/pod/{name}/logs/ view logs
pod.terminal member GET /pod_exec/{namespace}/{pod}/{container}/ log in to a terminal
org.domains reader GET /organization/ domains and their projects
org.projects project_admin GET /projects/ projects (project administrators)
ingress.list reader GET /ingress/ list ingresses
ingress.create member POST /ingress/ create ingress
ingress.update member PATCH /ingress/ update ingress
ingress.delete member DELETE /ingress/ delete ingresses (batch)
ingress.access reader GET /access/ URIs that the ingresses define
service.list reader GET /service/ list services
service.nodeports reader GET /service/nodeports/ NodePorts in use
service.create member POST /service/{name}/ create service
service.update member PUT /service/{name}/ update service
service.delete member DELETE /service/ delete services (batch)
storage.list reader GET /kubernetes/storage/ list storage classes, PVCs, PVs
storage.create_class cloud_admin POST /kubernetes/sc/{name}/ create storage class
storage.set_default cloud_admin PUT /kubernetes/storageclass/{name}/default/?action=set set the default
storage.unset_default cloud_admin PUT /kubernetes/storageclass/{name}/default/?action=unset unset the default
storage.delete_pv cloud_admin DELETE /kubernetes/storage/{name}/ delete PV
storage.delete_class cloud_admin DELETE /kubernetes/sc/{name}/ delete storage class
storage.volume_types reader GET /volumes/ Cinder volume types
workload.create member POST /workloads/ create workloads
workload.attach member PUT /workloads/?action=attach attach workloads to an application (batch)
workload.detach member PUT /workloads/?action=detach detach workloads (batch)
workload.delete member DELETE /workloads/ delete workloads (batch)
workload.start_many member PUT /workloads/?action=start start workloads (batch)
workload.stop_many member PUT /workloads/?action=stop stop workloads (batch)
workload.recreate_many member PUT /workloads/?action=recreate redeploy workloads (batch)
workload.list reader GET /workloads/ list workloads
workload.access reader GET /workloads/workload/{name}/access/ a workload's access modes
workload.containers reader GET /workloads/workload/{name}/containers/ a workload's containers
workload.scale member PATCH /workloads/workload/{name}/?action=scale manual scaling
workload.set_access member PATCH /workloads/workload/{name}/?action=access_modes change access modes
workload.set_containers member PATCH /workloads/workload/{name}/?action=containers change containers
workload.set_update_strategy member PATCH /workloads/workload/{name}/?action=update_strategy change updating
workload.revisions reader GET /workloads/workload/{name}/revisions/ list revisions
workload.revision_yaml reader GET /workloads/workload/{name}/revision/{version}/yaml/ a revision as YAML
workload.rollback member PATCH /workloads/workload/{name}/?action=rollback roll back to a revision
workload.set_scale_strategy member PATCH /workloads/workload/{name}/?action=scale_strategy change autoscaling
workload.set_scheduler_strategy member PATCH /workloads/workload/{name}/?action=scheduler_strategy change
workload.set_network member PATCH /workloads/workload/{name}/?action=network change network settings
workload.set_labels member PATCH /workloads/workload/{name}/?action=labels change labels
workload.stop member PUT /workloads/workload/{name}/?action=stop stop
workload.start member PUT /workloads/workload/{name}/?action=start start
workload.recreate member PUT /workloads/workload/{name}/?action=recreate redeploy
workload.show reader GET /workloads/workload/{name}/ workload detail (conditions, events, revisions)
workload.scale_strategy reader GET /workloads/workload/{name}/scale_strategy scale strategy
workload.scheduler_strategy reader GET /workloads/workload/{name}/scheduler_strategy scheduler strategy
workload.network reader GET /workloads/workload/{name}/network network settings
workload.delete_revision member DELETE /workloads/workload/{name}/revisions/?history_version= delete one
workload.delete_revisions member DELETE /workloads/workload/{name}/revisions/ delete revisions (batch)
lb.zones reader GET /ecns/kubernetes/server/availabilityzones/ availability zones
lb.flavors reader GET /ecns/kubernetes/server/flavors/ flavors
lb.subnets reader GET /ecns/kubernetes/network/subnets/ subnets
lb.replicas_limit reader GET /ecns/kubernetes/lbaas/flavorprofile_replicas_limit/ active-active replicas limit
lb.type reader GET /ecns/kubernetes/lb/type/ Octavia installed or not
lb.license reader GET /ecns/kubernetes/lb/license_usage/ license quota
"""
"""Operations, a line each: id, the base rule it needs, method, path below the product type, what it does."""


class Operation(msgspec.Struct, frozen=True):
    """A line of the table."""

    name: str
    right: str
    method: str
    path: str
    description: str


OPERATIONS = {(line := row.split(" ", 4))[0]: Operation(*line) for row in TABLE.strip().splitlines()}
"""By id, all operations of the reference, and ours."""


DEFAULTS = {name: check for name, (check, _) in BASE.items()} | {
    PREFIX + operation.name: f"rule:{operation.right}" for operation in OPERATIONS.values()
}
"""All rules: name → check."""

DECISIONS = 256
"""Decisions remembered for one caller; they are asked for again and again, each costs oslo.policy 0.1 ms."""


class Policy:
    """Decides by the defaults and an operator's file.

    Args:
        policy_file: a `policy.yaml`; None: the defaults alone.

    Raises:
        ConfigError: the file cannot be read, or a rule in it is unknown, or cannot be understood.
    """

    def __init__(self, policy_file: Path | None = None) -> None:
        conf = cfg.ConfigOpts()
        conf([], project="ecns", default_config_files=[], default_config_dirs=[])
        self._enforcer = oslo.Enforcer(conf, use_conf=False)
        self._file = policy_file
        self._stamp = self._look()
        self._decided: WeakKeyDictionary[Caller, dict[tuple[object, ...], bool]] = WeakKeyDictionary()
        self._use(self._read())

    def check(self, operation: str, caller: Caller, target: Mapping[str, str]) -> None:
        """Let a caller do an operation.

        Args:
            operation: the id in the table.
            caller: who wants to.
            target: what it is done to: `project_id` and whatever else a rule may compare (`%(project_id)s`).

        Raises:
            ForbiddenError: no rule lets them.
        """
        if not self.allows(operation, caller, target):
            raise ForbiddenError(
                f"{operation} is not allowed with the roles of this token "
                f"({', '.join(caller.roles) or 'none'})"
            )

    def allows(self, operation: str, caller: Caller, target: Mapping[str, str]) -> bool:
        """Whether a caller may do an operation; never for one that is not in the table."""
        return self._decide(PREFIX + operation, caller, target)

    def is_cloud_admin(self, caller: Caller) -> bool:
        """Whether the caller may act in every project."""
        return self._decide("cloud_admin", caller, {"project_id": caller.project_id})

    def is_project_admin(self, caller: Caller) -> bool:
        """Whether the caller administers the token's project (cloud administrators do)."""
        return self._decide("project_admin", caller, {"project_id": caller.project_id})

    def is_member(self, caller: Caller) -> bool:
        """Whether the caller may change things in the token's project."""
        return self._decide("member", caller, {"project_id": caller.project_id})

    @staticmethod
    def sample() -> str:
        """The defaults as a `policy.yaml` of comments to start from."""
        lines = ["# ECNS's default policy. Uncomment and change what is to differ.", ""]
        for name, (check, meaning) in BASE.items():
            lines += [f"# {meaning}", f'#"{name}": "{check}"', ""]
        for operation in OPERATIONS.values():
            name = PREFIX + operation.name
            lines += [
                f"# {operation.description}",
                f"# {operation.method} {operation.path}",
                f'#"{name}": "{DEFAULTS[name]}"',
                "",
            ]
        return "\n".join(lines)

    @staticmethod
    def table() -> str:
        """The defaults as a page of Markdown: operation by who may."""
        rights = list(BASE)
        titles = [right.replace("_", " ") for right in rights]
        lines = [
            "# Who may do what",
            "",
            "Made from the code by `make docs`; `ecns policy` prints the same as a policy file to change it.",
            "",
            *(f"- **{title}**: {BASE[right][1]}" for right, title in zip(rights, titles, strict=True)),
            "",
            "In another project's namespace, the system's, and where `user_ids` or `role` leave the caller",
            "out, all is 404, but for cloud administrators. Nobody changes the system's (403).",
            "",
            f"| operation | method and path | {' | '.join(titles)} |",
            f"| --- | --- |{' --- |' * len(rights)}",
        ]
        for operation in OPERATIONS.values():
            least = rights.index(operation.right)
            marks = ["yes" if place <= least else "no" for place in range(len(rights))]
            path = operation.path.replace("|", "\\|")
            lines.append(f"| {operation.name} | `{operation.method} {path}` | {' | '.join(marks)} |")
        return "\n".join(lines)

    def _decide(self, rule: str, caller: Caller, target: Mapping[str, str]) -> bool:
        """A rule's answer, kept as long as its caller."""
        self._refresh()
        decided = self._decided.setdefault(caller, {})
        key = (rule, *target.items())
        if key not in decided:
            if len(decided) >= DECISIONS:
                decided.clear()
            decided[key] = bool(self._enforcer.enforce(rule, dict(target), caller.credentials))
        return decided[key]

    def _look(self) -> tuple[int, int, int]:
        """What shows that the file has changed."""
        if self._file is None:
            return (0, 0, 0)
        try:
            seen = self._file.stat()
        except OSError:
            return (0, 0, 0)
        return (seen.st_mtime_ns, seen.st_size, seen.st_ino)

    def _refresh(self) -> None:
        """Read the file again if it has changed; one that is wrong leaves the rules as they are."""
        if self._file is None or (stamp := self._look()) == self._stamp:
            return
        self._stamp = stamp
        try:
            self._use(self._read())
        except ConfigError as error:
            log.error("the policy file is not used, the rules stay as they were", reason=str(error))  # noqa: TRY400  the reason is the message
        else:
            log.info("the policy file was read again", file=str(self._file))

    def _read(self) -> dict[str, str]:
        """The file's rules, checked."""
        if self._file is None:
            return {}
        try:
            rules = oslo.parse_file_contents(self._file.read_text())
            return msgspec.convert(rules, dict[str, str])
        except OSError as error:
            raise ConfigError(f"identity.policy_file: {self._file}: {error.strerror}") from error
        except (ValueError, msgspec.ValidationError) as error:
            raise ConfigError(f"identity.policy_file: {self._file}: not rules in YAML: {error}") from error

    def _use(self, overrides: dict[str, str]) -> None:
        """Decide by the defaults and these rules from now on."""
        for name in overrides:
            if name.startswith(PREFIX) and name not in DEFAULTS:
                raise ConfigError(f"identity.policy_file: {self._file}: there is no operation {name!r}")
        checks = DEFAULTS | overrides
        parsed = oslo.Rules.from_dict({check: check for check in checks.values()})
        rules = oslo.Rules({name: parsed[check] for name, check in checks.items()})
        for name, check in overrides.items():
            if str(rules[name]) == "!" and check.strip() != "!":
                raise ConfigError(
                    f"identity.policy_file: {self._file}: {name}: cannot be understood: {check}"
                )
        before = self._enforcer.rules
        self._enforcer.set_rules(rules)
        try:
            self._enforcer.check_rules(raise_on_violation=True)
        except oslo.InvalidDefinitionError as error:
            self._enforcer.set_rules(before)
            raise ConfigError(
                f"identity.policy_file: {self._file}: a rule names itself, or one that is not there: {error}"
            ) from error
        self._decided.clear()
