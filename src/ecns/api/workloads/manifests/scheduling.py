"""Update, scale and scheduling strategies, and network, both ways (reference 1.21)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from ecns.api.common.names import STOPPED_NODE
from ecns.api.workloads.types import (
    HostAlias,
    Network,
    RequiredPrefered,
    ScaleResource,
    ScaleStrategy,
    SchedulerExpression,
    SchedulerRule,
    SchedulerStrategy,
    UpdateStrategy,
)
from ecns.backends.kubernetes.kinds import apps
from ecns.backends.kubernetes.kinds import autoscaling as hpa
from ecns.backends.kubernetes.kinds import pods as k
from ecns.backends.kubernetes.kinds.core import IntOrString, LabelSelector, LabelSelectorRequirement
from ecns.backends.kubernetes.kinds.meta import ObjectMeta

HOSTNAME = "kubernetes.io/hostname"
DEFAULT_DNS = "ClusterFirst"

# Update strategy


def update_strategy(sent: UpdateStrategy | None, kind: str) -> apps.UpdateStrategy | None:
    """The strategy for a kind of controller; None leaves it to Kubernetes."""
    if sent is None or sent.type is None:
        return None
    surge, unavailable = _number(sent.max_surge), _number(sent.max_unavailable)
    batch = sent.batch_size if sent.batch_size is not None else 1
    match sent.type:
        case "recreate":
            return apps.UpdateStrategy(type="Recreate")
        case "on_delete":
            return apps.UpdateStrategy(type="OnDelete")
        case "first_up":
            rolling = apps.RollingUpdate(max_surge=batch, max_unavailable=0)
        case "first_down":
            rolling = apps.RollingUpdate(max_surge=0, max_unavailable=batch)
        case "rolling_update":
            rolling = apps.RollingUpdate(
                max_surge=surge if kind == "DaemonSet" else None,
                max_unavailable=unavailable if unavailable is not None else sent.batch_size,
            )
        case _:
            rolling = apps.RollingUpdate(max_surge=surge, max_unavailable=unavailable)
    return apps.UpdateStrategy(
        type="RollingUpdate", rolling_update=None if rolling == apps.RollingUpdate() else rolling
    )


def shown_update_strategy(spec: apps.ControllerSpec, kind: str) -> UpdateStrategy:
    """The strategy of a controller, with what Kubernetes does when nobody says."""
    found = (spec.strategy if kind == "Deployment" else spec.update_strategy) or apps.UpdateStrategy()
    rolling = found.rolling_update or apps.RollingUpdate()
    surge, unavailable = rolling.max_surge, rolling.max_unavailable
    period = spec.min_ready_seconds
    if found.type == "OnDelete":
        return UpdateStrategy(type="on_delete", period=period)
    if found.type == "Recreate":
        return UpdateStrategy(type="recreate", period=period)
    if kind != "Deployment":
        return UpdateStrategy(
            type="rolling_update", max_surge=surge, max_unavailable=unavailable, period=period
        )
    surge = "25%" if surge is None else surge
    unavailable = "25%" if unavailable is None else unavailable
    if isinstance(surge, int) and surge and unavailable in {0, "0%"}:
        return UpdateStrategy(type="first_up", batch_size=surge, period=period)
    if isinstance(unavailable, int) and unavailable and surge in {0, "0%"}:
        return UpdateStrategy(type="first_down", batch_size=unavailable, period=period)
    return UpdateStrategy(type="custom", max_surge=surge, max_unavailable=unavailable, period=period)


def _number(value: IntOrString | None) -> IntOrString | None:
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else value


# Scale strategy


def autoscaler(sent: ScaleStrategy | None, name: str, kind: str) -> hpa.HorizontalPodAutoscaler | None:
    """The autoscaler of a workload; None for no strategy or an empty one."""
    if sent is None or sent == ScaleStrategy() or sent.max_replicas is None:
        return None
    wanted = sent.resource or ScaleResource()
    return hpa.HorizontalPodAutoscaler(
        api_version="autoscaling/v2",
        kind="HorizontalPodAutoscaler",
        metadata=ObjectMeta(name=name),
        spec=hpa.HorizontalPodAutoscalerSpec(
            scale_target_ref=hpa.ScaleTarget(api_version="apps/v1", kind=kind, name=name),
            min_replicas=sent.min_replicas,
            max_replicas=sent.max_replicas,
            metrics=[
                hpa.Metric(
                    type="Resource",
                    resource=hpa.ResourceMetric(
                        name=metric,
                        target=hpa.MetricTarget(type="Utilization", average_utilization=percent),
                    ),
                )
                for metric, percent in (("cpu", wanted.cpu), ("memory", wanted.memory))
                if percent is not None
            ]
            or None,
        ),
    )


def shown_scale_strategy(found: hpa.HorizontalPodAutoscaler | None) -> ScaleStrategy | None:
    """The strategy of an autoscaler."""
    if found is None:
        return None
    percents = {
        metric.resource.name: metric.resource.target.average_utilization
        for metric in found.spec.metrics or ()
        if metric.resource
    }
    return ScaleStrategy(
        min_replicas=1 if found.spec.min_replicas is None else found.spec.min_replicas,
        max_replicas=found.spec.max_replicas,
        resource=ScaleResource(cpu=percents.get("cpu"), memory=percents.get("memory")),
    )


# Scheduling strategy

Terms = list[k.NodeSelectorTerm]


def schedule(sent: Sequence[SchedulerStrategy] | None) -> tuple[dict[str, str] | None, k.Affinity | None]:
    """Node selector and affinity of the strategies together."""
    selector: dict[str, str] = {}
    groups: list[Terms] = []
    preferred: list[k.PreferredSchedulingTerm] = []
    near, away = k.PodAffinity(), k.PodAffinity()
    for strategy in sent or ():
        if rule := strategy.node_selector:
            plain = _plain(rule.required, selector)
            if plain is None:
                groups.append(_terms(rule.required))
            else:
                selector.update(plain)
            preferred += _preferred_nodes(rule)
        if rule := strategy.node_terms:
            groups.append(_terms(rule.required))
            preferred += _preferred_nodes(rule)
        _pods(strategy.pod_affinity, near)
        _pods(strategy.pod_anti_affinity, away)
    terms = _all_of([group for group in groups if group])
    node = k.NodeAffinity(
        required=k.NodeSelector(node_selector_terms=terms) if terms else None, preferred=preferred or None
    )
    affinity = k.Affinity(
        node_affinity=None if node == k.NodeAffinity() else node,
        pod_affinity=None if near == k.PodAffinity() else near,
        pod_anti_affinity=None if away == k.PodAffinity() else away,
    )
    return selector or None, None if affinity == k.Affinity() else affinity


def shown_schedule(pod: k.PodSpec) -> list[SchedulerStrategy]:
    """The strategies of a pod template."""
    shown: list[SchedulerStrategy] = []
    selector = {key: value for key, value in (pod.node_selector or {}).items() if key != STOPPED_NODE}
    affinity = pod.affinity or k.Affinity()
    if selector:
        expressions = [SchedulerExpression(key=key, operator="In", values=selector[key]) for key in selector]
        rule = SchedulerRule(required=[RequiredPrefered(expression=expressions)], prefered=[])
        shown.append(SchedulerStrategy(type="nodeSelector", node_selector=rule))
    if node := affinity.node_affinity:
        terms = (node.required.node_selector_terms if node.required else None) or []
        rule = SchedulerRule(
            required=[RequiredPrefered(expression=_shown(term.match_expressions)) for term in terms],
            prefered=[
                RequiredPrefered(expression=_shown(term.preference.match_expressions, term.weight))
                for term in node.preferred or ()
            ],
        )
        shown.append(SchedulerStrategy(type="nodeSelectorTerms", node_terms=rule))
    if affinity.pod_affinity:
        shown.append(SchedulerStrategy(type="podAffinity", pod_affinity=_shown_pods(affinity.pod_affinity)))
    if affinity.pod_anti_affinity:
        rule = _shown_pods(affinity.pod_anti_affinity)
        shown.append(SchedulerStrategy(type="podAntiAffinity", pod_anti_affinity=rule))
    return shown


def values(sent: str | Sequence[str] | None) -> list[str]:
    """The values of an expression, sent as a string with commas or as a list."""
    return words(sent)


def words(sent: str | Sequence[str] | None) -> list[str]:
    """A string with commas, or a list, as a list without empty words."""
    pieces = sent.split(",") if isinstance(sent, str) else sent or ()
    return [piece.strip() for piece in pieces if piece.strip()]


def _plain(rules: Iterable[RequiredPrefered] | None, taken: dict[str, str]) -> dict[str, str] | None:
    """The node selector that says the same as one set of In-one-value expressions, if there is one."""
    sets = list(rules or ())
    if len(sets) > 1:
        return None
    plain: dict[str, str] = {}
    for expression in [item for one in sets for item in one.expression or ()]:
        given = values(expression.values)
        if expression.operator != "In" or len(given) != 1 or expression.key in {**plain, **taken}:
            return None
        plain[expression.key] = given[0]
    return plain


def _terms(rules: Iterable[RequiredPrefered] | None) -> Terms:
    return [
        k.NodeSelectorTerm(match_expressions=_expressions(rule.expression))
        for rule in rules or ()
        if rule.expression
    ]


def _all_of(groups: Sequence[Terms]) -> Terms:
    """Terms of which one holds exactly when one of each group holds."""
    if len(groups) == 1:
        return groups[0]
    return (
        [
            k.NodeSelectorTerm(
                match_expressions=[item for term in choice for item in term.match_expressions or ()]
            )
            for choice in product(*groups)
        ]
        if groups
        else []
    )


def _preferred_nodes(rule: SchedulerRule) -> list[k.PreferredSchedulingTerm]:
    return [
        k.PreferredSchedulingTerm(
            weight=_weight(one), preference=k.NodeSelectorTerm(match_expressions=_expressions(one.expression))
        )
        for one in rule.prefered or ()
        if one.expression
    ]


def _pods(rule: SchedulerRule | None, into: k.PodAffinity) -> None:
    if rule is None:
        return
    required = [_pod_term(one) for one in rule.required or ()]
    preferred = [
        k.WeightedPodAffinityTerm(weight=_weight(one), pod_affinity_term=_pod_term(one))
        for one in rule.prefered or ()
    ]
    into.required = [*(into.required or ()), *required] or None
    into.preferred = [*(into.preferred or ()), *preferred] or None


def _pod_term(one: RequiredPrefered) -> k.PodAffinityTerm:
    return k.PodAffinityTerm(
        topology_key=one.topology_key or HOSTNAME,
        label_selector=LabelSelector(match_expressions=_expressions(one.expression)),
    )


def _weight(one: RequiredPrefered) -> int:
    return max((item.weight or 1 for item in one.expression or ()), default=1)


def _expressions(sent: Iterable[SchedulerExpression] | None) -> list[LabelSelectorRequirement]:
    return [
        LabelSelectorRequirement(key=item.key, operator=item.operator, values=values(item.values) or None)
        for item in sent or ()
    ]


def _shown(
    found: Iterable[LabelSelectorRequirement] | None, weight: int | None = None
) -> list[SchedulerExpression]:
    return [
        SchedulerExpression(
            key=item.key,
            operator=item.operator,  # type: ignore[arg-type]  # what Kubernetes has
            values=",".join(item.values) if item.values else None,
            weight=weight,
        )
        for item in found or ()
    ]


def _shown_pods(found: k.PodAffinity) -> SchedulerRule:
    return SchedulerRule(
        required=[_shown_pod_term(term) for term in found.required or ()],
        prefered=[_shown_pod_term(term.pod_affinity_term, term.weight) for term in found.preferred or ()],
    )


def _shown_pod_term(term: k.PodAffinityTerm, weight: int | None = None) -> RequiredPrefered:
    selector = term.label_selector or LabelSelector()
    labels = [
        LabelSelectorRequirement(key=key, operator="In", values=[value])
        for key, value in (selector.match_labels or {}).items()
    ]
    return RequiredPrefered(
        topology_key=term.topology_key,
        expression=_shown([*labels, *(selector.match_expressions or ())], weight),
    )


# Network


def network(sent: Network | None, pod: k.PodSpec) -> None:
    """Put the network settings into a pod template."""
    if sent is None:
        return
    pod.host_network = bool(sent.host_network)
    pod.dns_policy = sent.dns_policy or ""
    pod.host_aliases = [
        k.HostAlias(ip=alias.ip, hostnames=words(alias.hostnames)) for alias in sent.host_aliases or ()
    ] or None


def shown_network(pod: k.PodSpec) -> Network:
    """The network settings of a pod template."""
    return Network(
        host_network=pod.host_network,
        dns_policy=pod.dns_policy or DEFAULT_DNS,
        host_aliases=[
            HostAlias(ip=alias.ip, hostnames=",".join(alias.hostnames or ()))
            for alias in pod.host_aliases or ()
        ],
    )
