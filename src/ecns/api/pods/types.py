"""The reference's types of chapter 1.16."""

from __future__ import annotations

from msgspec import Struct

from ecns.api.common.named import Named
from ecns.api.workloads.types import Condition, Container, Event, Image, PodStatus, Volume


class PodRow(Struct, kw_only=True):
    """A row of "list pods"; `restart_count` is a string there, says the reference."""

    name: str
    creation_time: str | None
    pod_ip: str | None
    host_ip: str | None
    images: list[Image]
    labels: dict[str, str]
    restart_count: str
    status: str
    reason: str | None = None
    node_name: str | None = None
    ready: bool = False


class Pod(Struct, kw_only=True):
    """pod."""

    name: str
    containers: list[Container]
    restart_policy: str
    labels: dict[str, str]
    pod_status: PodStatus
    volumes: list[Volume]


class PodDetail(Struct, kw_only=True):
    """The answer of "show"."""

    pod: Pod
    conditions: list[Condition]
    events: list[Event]


class DeletePods(Struct, kw_only=True):
    """The body of "delete": one pod, or several (ours); `force` "true" ends them at once."""

    pod: Named | None = None
    pods: list[str | Named] | None = None
    force: str | bool | None = None


class TerminalMessage(Struct, omit_defaults=True, rename="pascal"):
    """A message of a terminal, either way.

    `Data` is what is typed or shown, or the exit code. `Cols` and `Rows` come with `bind` and `resize`. Only
    `exit` has the rest: `Reason` a word, `Message` a sentence, `Code` the HTTP status of a new request.
    """

    operation: str
    data: str | None = None
    cols: int | None = None
    rows: int | None = None
    reason: str = ""
    message: str = ""
    code: int = 0
