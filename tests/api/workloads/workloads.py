"""Workloads for property tests: every field of the reference's type, within what `checks` lets through."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
WORDS = st.text(alphabet="abcXYZ09 .:/é世界$", max_size=12)
LABELS = st.dictionaries(
    st.sampled_from(["app", "tier", "example.com/team", "app.kubernetes.io/name"]),
    st.sampled_from(["", "a", "web", "v1.2_x"]),
    max_size=3,
)
PORTS = st.integers(1, 65535)
BOOLS = st.booleans()
PATHS = st.from_regex(r"/[a-z]{1,6}(/[a-z]{1,6})?", fullmatch=True)
FILES = st.from_regex(r"[a-z]{1,6}(/[a-z]{1,6})?\.conf", fullmatch=True)


def some(required: Json, optional: Json | None = None) -> st.SearchStrategy[Json]:
    """Objects with the required keys, some of the optional ones, and some of those null."""
    nullable = {key: st.none() | value for key, value in (optional or {}).items()}
    return st.fixed_dictionaries(required, optional=nullable)


ROUTERS = some(
    {},
    {
        "domain": st.sampled_from(["a.example.com", "b.example.com", "*.example.com"]),
        "path": PATHS,
        "target_service": NAMES,
        "service_port": PORTS,
    },
)
ACCESS = some(
    {"port": PORTS},
    {
        "protocol": st.sampled_from(["TCP", "UDP"]),
        "target_port": PORTS,
        "routers": st.lists(ROUTERS, max_size=2),
    },
)
EXTERNAL = some(
    {"loadbalancer": some({"name": WORDS, "vip_subnet_id": st.uuids().map(str)})},
    {
        "availability_zone_profile": some(
            {}, {"availability_zone_data": some({}, {"compute_zone": NAMES, "cpu_arch": NAMES})}
        ),
        "flavor_profile": some(
            {},
            {
                "flavor_data": some(
                    {"loadbalancer_topology": st.sampled_from(["SINGLE", "ACTIVE_STANDBY"])},
                    {"amp_volume_type": NAMES, "compute_flavor": NAMES},
                )
            },
        ),
    },
)


@st.composite
def access_modes(draw: st.DrawFn) -> list[Json]:
    """Up to three access modes, with node ports of their own."""
    modes = []
    node_ports = iter(draw(st.lists(st.integers(30000, 32767), min_size=9, max_size=9, unique=True)))
    names = iter(draw(st.lists(NAMES, min_size=3, max_size=3, unique=True)))
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]))
        access = draw(st.lists(ACCESS, min_size=1, max_size=3, unique_by=lambda one: one["port"]))
        mode: Json = {"type": kind, "access": access, "annotations": draw(LABELS)}
        if draw(BOOLS):
            mode["name"] = next(names)
        if kind == "ExternalName":
            mode["external_name"] = "db.example.com"
        if kind == "ClusterIP":
            mode["cluster_ip"] = draw(st.sampled_from([None, "None", "10.96.0.7"]))
        if kind == "LoadBalancer":
            mode |= {"external": draw(st.none() | EXTERNAL), "subnet": draw(st.none() | NAMES)}
        if kind in {"NodePort", "LoadBalancer"} and draw(BOOLS):
            for one in access:
                one["node_port"] = next(node_ports)
        modes.append(mode)
    return modes


IMAGES = some(
    {"image": st.sampled_from(["nginx", "library/nginx", "ghcr.io/a/b", "localhost:5000/x"])},
    {
        "image_version": st.sampled_from(["1.27", "latest", "sha256:" + "a" * 64]),
        "harbor_project_name": NAMES,
        "image_auth": BOOLS,
        "image_secret": NAMES,
        "image_pull_policy": st.sampled_from(["Always", "IfNotPresent"]),
    },
)
ENV = st.one_of(
    some({"type": st.just("Normal"), "name": NAMES}, {"key": WORDS}),
    some({"type": st.sampled_from(["ConfigMap", "Secret"]), "name": NAMES, "key": NAMES, "value": NAMES}),
)
CPU = st.integers(1, 64000).map(lambda milli: milli / 1000)
AMOUNTS = some({}, {"cpu": CPU, "memory": st.integers(0, 2**20)})
TIMES = {
    "initial_delay": st.integers(0, 600),
    "period": st.integers(1, 600),
    "timeout": st.integers(1, 600),
    "failure_threshold": st.integers(1, 9),
    "success_threshold": st.just(1),
}


def health(kind: str) -> st.SearchStrategy[Json]:
    """A check of a type."""
    return st.one_of(
        some(
            {"type": st.just(kind), "protocol": st.just("cmd"), "cmd": st.just("test -e /x && echo 'a b'")},
            TIMES,
        ),
        some(
            {"type": st.just(kind), "protocol": st.sampled_from(["http", "https"]), "port": PORTS},
            {**TIMES, "path": PATHS, "host": NAMES},
        ),
        some({"type": st.just(kind), "protocol": st.just("tcp"), "port": PORTS}, {**TIMES, "host": NAMES}),
        some({"type": st.just(kind), "protocol": st.just("grpc"), "port": PORTS}, TIMES),
    )


HEALTH = st.lists(
    st.sampled_from(["liveness", "readiness", "startup"]).flatmap(health),
    max_size=3,
    unique_by=lambda one: one["type"],
)
CAPABILITY = some(
    {
        "action": st.sampled_from(["add", "drop"]),
        "caps": st.lists(st.sampled_from(["NET_ADMIN", "CAP_SYS_TIME", "all"]), max_size=2),
    }
)
SECURITY = some(
    {},
    {
        "run_as_nonroot": BOOLS,
        "rootfs_readonly": BOOLS,
        "host_pid": BOOLS,
        "host_ipc": BOOLS,
        "run_as_user": st.integers(1, 99999),
        "run_as_group": st.integers(0, 99999),
        "privileged": BOOLS,
        "capabilities": st.one_of(CAPABILITY, st.lists(CAPABILITY, max_size=2)),
    },
)
COMMANDS = some({}, {"cmd": st.lists(WORDS, max_size=3), "args": st.lists(WORDS, max_size=3)})
HOOKS = st.lists(
    some({"type": st.sampled_from(["PreStop", "PostStart"]), "cmd": st.lists(NAMES, min_size=1, max_size=2)}),
    max_size=2,
    unique_by=lambda one: one["type"],
)


@st.composite
def volumes(draw: st.DrawFn) -> list[Json]:
    """Up to four volumes of all types."""
    found = []
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        kind = draw(
            st.sampled_from(["StorageClass", "PVC", "LocalStorage", "EmptyDir", "ConfigMap", "Secret"])
        )
        volume: Json = {"name": name, "type": kind}
        config = some(
            {"type": st.just(kind), "name": NAMES},
            {"path": PATHS, "items": st.lists(some({"key": NAMES, "path": FILES}), max_size=2)},
        )
        match kind:
            case "StorageClass":
                capacity = st.sampled_from(["10", "1.5", "500Mi", "20Gi", "10G", 3])
                volume["storage_class"] = draw(
                    some(
                        {"class_name": NAMES, "capacity": capacity},
                        {"access_modes": st.just(["ReadWriteMany"])},
                    )
                )
            case "PVC":
                volume["pvc"] = draw(some({"name": NAMES}))
            case "LocalStorage":
                volume["local_storage"] = draw(PATHS)
            case "EmptyDir":
                volume["emptydir"] = draw(st.sampled_from([None, "", "Memory", "memory", "1", "512Mi", "1G"]))
            case _:
                volume[kind.lower()] = draw(config)
        found.append(volume)
    return found


@st.composite
def containers(draw: st.DrawFn, known: list[Json]) -> list[Json]:
    """Up to three containers, of which one is a worker."""
    found = []
    for at, name in enumerate(draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))):
        kind = "worker" if at == 0 else draw(st.sampled_from(["worker", "init"]))
        image = draw(IMAGES)
        source = draw(st.sampled_from([None, "ecns", "third_party"]))
        if source == "ecns" and not image.get("harbor_project_name"):
            image["harbor_project_name"] = "library"
        one: Json = {
            "name": name,
            "type": kind,
            "image": image,
            "image_source": source,
            "resources": draw(st.none() | some({}, {"requests": AMOUNTS})),
            "env": draw(st.none() | st.lists(ENV, max_size=3)),
            "security": draw(st.none() | SECURITY),
            "commands": draw(st.none() | COMMANDS),
        }
        if kind == "worker":
            one |= {"health": draw(st.none() | HEALTH), "hooks": draw(st.none() | HOOKS)}
        mounts = []
        for volume in known:
            if draw(BOOLS):
                path = f"/mnt/{volume['name']}"
                mounts.append(
                    {
                        "volume_name": volume["name"],
                        "mount_path": path,
                        "read_only": draw(st.none() | BOOLS),
                        "sub_path": draw(st.none() | st.just("sub/dir")),
                    }
                )
        one["volume_mounts"] = mounts or draw(st.sampled_from([None, []]))
        one["logsidecar_injector"] = [f"{mount['mount_path']}/a/*.log" for mount in mounts if draw(BOOLS)]
        found.append(one)
    return found


def _expressions(*, nodes: bool) -> st.SearchStrategy[Json]:
    key = st.sampled_from(["kubernetes.io/hostname", "disk", "zone"])
    values = st.one_of(st.sampled_from(["a", "a,b", "a, b"]), st.lists(NAMES, min_size=1, max_size=2))
    weight = st.integers(1, 100)
    kinds = [
        some(
            {"key": key, "operator": st.sampled_from(["In", "NotIn"]), "values": values}, {"weight": weight}
        ),
        some({"key": key, "operator": st.sampled_from(["Exists", "DoesNotExist"])}, {"weight": weight}),
    ]
    if nodes:
        gt = st.sampled_from(["Gt", "Lt"])
        kinds.append(some({"key": key, "operator": gt, "values": st.just("4")}, {"weight": weight}))
    return st.one_of(kinds)


def _rules(*, nodes: bool) -> st.SearchStrategy[Json]:
    one = some(
        {"expression": st.lists(_expressions(nodes=nodes), min_size=1, max_size=2)},
        {} if nodes else {"topology_key": st.sampled_from(["kubernetes.io/hostname", "zone"])},
    )
    return some({}, {"required": st.lists(one, max_size=2), "prefered": st.lists(one, max_size=2)})


SCHEDULER = st.lists(
    st.one_of(
        some({"type": st.just("nodeSelector"), "node_selector": _rules(nodes=True)}),
        some({"type": st.just("nodeSelectorTerms"), "node_terms": _rules(nodes=True)}),
        some({"type": st.just("podAffinity"), "pod_affinity": _rules(nodes=False)}),
        some({"type": st.just("podAntiAffinity"), "pod_anti_affinity": _rules(nodes=False)}),
    ),
    max_size=3,
)
NETWORK = some(
    {},
    {
        "host_network": BOOLS,
        "dns_policy": st.sampled_from(["ClusterFirst", "ClusterFirstWithHostNet"]),
        "host_aliases": st.lists(
            some(
                {
                    "ip": st.sampled_from(["10.0.0.1", "::1"]),
                    "hostnames": st.sampled_from(["a.b", "a.b,c.d", ["a.b", "c.d"]]),
                }
            ),
            max_size=2,
        ),
    },
)
UPDATES = {
    "Deployment": st.one_of(
        some({"type": st.sampled_from(["first_up", "first_down"])}, {"batch_size": st.integers(1, 9)}),
        some(
            {"type": st.just("custom")},
            {
                "max_surge": st.sampled_from([0, 1, "2", "30%"]),
                "max_unavailable": st.sampled_from([1, 2, "25%"]),
            },
        ),
        some({"type": st.just("recreate")}, {"period": st.integers(0, 60)}),
    ),
    "StatefulSet": st.one_of(
        some({"type": st.just("on_delete")}, {"period": st.integers(0, 60)}),
        some({"type": st.just("rolling_update")}, {"batch_size": st.integers(1, 3)}),
    ),
    "DaemonSet": st.one_of(
        some({"type": st.just("on_delete")}),
        some({"type": st.just("rolling_update")}, {"max_unavailable": st.sampled_from([1, "10%"])}),
    ),
}
SCALES = some(
    {"max_replicas": st.integers(5, 9), "resource": some({"cpu": st.integers(1, 100)}, {"memory": PORTS})},
    {"min_replicas": st.integers(1, 4)},
)


@st.composite
def workloads(draw: st.DrawFn) -> Json:
    """A workload as a request's JSON."""
    kind = draw(st.sampled_from(["Deployment", "StatefulSet", "DaemonSet"]))
    base: Json = {"name": draw(NAMES), "type": kind}
    if kind != "DaemonSet":
        base["replicas"] = draw(st.integers(0, 99))
    known = draw(volumes())
    return {
        "workload_base": base,
        "containers": draw(containers(known)),
        "volumes": known,
        "application_name": draw(st.none() | NAMES),
        "application_type": draw(st.sampled_from([None, "Normal", "Hybrid"])),
        "security_groups": draw(st.none() | st.lists(NAMES, max_size=2)),
        "labels": draw(st.none() | LABELS),
        "access_mode": draw(access_modes()),
        "vm_access": draw(st.none() | some({"name": WORDS})),
        "vm_network": draw(st.none() | some({"network_id": NAMES})),
        "runtime_class_name": draw(st.none() | NAMES),
        "update_strategy": draw(st.none() | UPDATES[kind]),
        "scale_strategy": draw(st.none() | SCALES) if kind != "DaemonSet" else None,
        "scheduler_strategy": draw(st.none() | SCHEDULER),
        "network": draw(st.none() | NETWORK),
    }
