"""What types cannot say of an application; each refusal names its field.

Source: reference chapters 1.2 and 1.8; decisions, "Other chapters".
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import asdict, replace

from ecns.api.applications.types import (
    Application,
    ConfigMap,
    CreateApplication,
    DescribeApplication,
    Description,
)
from ecns.api.common import contents
from ecns.api.common.checks import dns_label, dns_subdomain
from ecns.api.virtualmachines.checks import entry, virtual_machines
from ecns.api.workloads.types import ApplicationType
from ecns.errors import BadRequestError

PARTS = ("workload", "service", "all")
"""What `resource` may name when applications are deleted."""


def application(sent: CreateApplication, product_type: str) -> Application:
    """The application that was sent, checked and with its defaults; its workloads know it.

    Raises:
        BadRequestError: something in it cannot be; `field` says where.
    """
    whole = sent.application
    if whole is None:
        if sent.name is None:
            raise BadRequestError("name: an application needs a name", field="name")
        fields = {key: value for key, value in asdict(sent).items() if key != "application"}
        whole = Application(**fields)
    dns_label(whole.name, "name")
    kind: ApplicationType = whole.type or ("Hybrid" if product_type == "hybrid" else "Normal")
    if kind == "Hybrid" and whole.vm_network is None:
        raise BadRequestError("vm_network: a Hybrid application needs it", field="vm_network")
    if kind == "Normal" and whole.virtual_machines:
        raise BadRequestError(
            "virtual_machines: only a Hybrid application has virtual machines", field="virtual_machines"
        )
    _config_maps(whole.configmaps or ())
    machines = virtual_machines(whole.virtual_machines or ())
    members = []
    called: set[str] = set()
    for place, workload in enumerate(whole.workloads or ()):
        at = f"workloads[{place}]"
        if (workload.application_name or whole.name) != whole.name:
            raise BadRequestError(
                f"{at}.application_name: it is a workload of {whole.name!r}", field=f"{at}.application_name"
            )
        if workload.workload_base.name in called:
            raise BadRequestError(
                f"{at}.workload_base.name: names of workloads are unique, over all types",
                field=f"{at}.workload_base.name",
            )
        called.add(workload.workload_base.name)
        member = replace(workload, application_name=whole.name, application_type=kind)
        if kind == "Hybrid":
            network = whole.vm_network and msgspec.to_builtins(whole.vm_network)
            member = replace(entry(member, whole.vm_network, at), vm_network=network)
        members.append(member)
    return replace(whole, type=kind, workloads=members, virtual_machines=machines)


def description(sent: DescribeApplication, name: str) -> Description:
    """The description that was sent for an application.

    Raises:
        BadRequestError: it is for another one.
    """
    found: Description = sent.application or sent
    if found.name not in {None, name}:
        raise BadRequestError(f"name: an application keeps its name, {name!r}", field="name")
    return found


def parts(resource: Iterable[str]) -> frozenset[str]:
    """What goes with an application: the words of `resource`, which commas part.

    Raises:
        BadRequestError: a word is unknown, or services are to go without the workloads.
    """
    words = {word.strip() for text in resource for word in text.split(",")} - {""}
    if unknown := sorted(words - set(PARTS)):
        raise BadRequestError(
            f"resource: {unknown[0]!r} is none of {', '.join(PARTS)}; several are parted by commas",
            field="resource",
        )
    if words == {"service"}:
        raise BadRequestError(
            "resource: services go only with their workloads: resource=workload,service", field="resource"
        )
    return frozenset(words)


def _config_maps(config_maps: Iterable[ConfigMap]) -> None:
    called: set[str] = set()
    for place, config_map in enumerate(config_maps):
        at = f"configmaps[{place}]"
        dns_subdomain(config_map.name, f"{at}.name")
        if config_map.name in called:
            raise BadRequestError(f"{at}.name: {config_map.name!r} is there twice", field=f"{at}.name")
        called.add(config_map.name)
        texts = contents.texts(config_map.config, f"{at}.config")
        contents.check_size((len(text.encode()) for text in texts.values()), f"{at}.config")
