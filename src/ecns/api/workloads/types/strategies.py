"""How pods are replaced, scaled and placed, and their network."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType


class UpdateStrategy(Struct, kw_only=True):
    """update_strategy: numbers of pods; a percentage such as `25%` where Kubernetes has one."""

    type: Literal["first_up", "first_down", "recreate", "custom", "rolling_update", "on_delete"] | None = None
    batch_size: int | None = None
    max_surge: int | str | None = None
    max_unavailable: int | str | None = None
    period: int | None = None


class ScaleResource(Struct, kw_only=True):
    """resource of a scale_strategy: percent of the requests."""

    cpu: int | None = None
    memory: int | None = None


class ScaleStrategy(Struct, kw_only=True):
    """scale_strategy."""

    min_replicas: int | None = None
    max_replicas: int | None = None
    resource: ScaleResource | None = None


class SchedulerExpression(Struct, kw_only=True):
    """scheduler_expression: `values` a string with commas or a list; `weight` 1 to 100 for preferred ones."""

    key: str
    operator: Literal["In", "NotIn", "Gt", "Lt", "Exists", "DoesNotExist"] = "In"
    values: str | list[str] | None = None
    weight: int | None = None


class RequiredPrefered(Struct, kw_only=True):
    """required_prefered: expressions that hold together."""

    topology_key: str | None = None
    expression: list[SchedulerExpression] | None = None


class SchedulerRule(Struct, kw_only=True):
    """scheduler_rule; `preferred` is taken for `prefered`."""

    required: list[RequiredPrefered] | None = None
    prefered: list[RequiredPrefered] | None = None
    preferred: list[RequiredPrefered] | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        """Keep the reference's spelling."""
        if self.preferred is not UNSET:
            self.prefered = self.prefered or self.preferred
            self.preferred = UNSET


class SchedulerStrategy(Struct, kw_only=True):
    """scheduler_strategy."""

    type: Literal["podAffinity", "podAntiAffinity", "nodeSelector", "nodeSelectorTerms"] | None = None
    node_selector: SchedulerRule | None = None
    pod_affinity: SchedulerRule | None = None
    pod_anti_affinity: SchedulerRule | None = None
    node_terms: SchedulerRule | None = None


class HostAlias(Struct, kw_only=True):
    """A line of the hosts file; `hostnames` a string with commas or a list."""

    ip: str
    hostnames: str | list[str] | None = None


class Network(Struct, kw_only=True):
    """network."""

    host_network: bool | None = None
    dns_policy: str | None = None
    host_aliases: list[HostAlias] | None = None
