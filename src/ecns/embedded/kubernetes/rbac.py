"""Role-based access control: who may do what, and who may give which rights on.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ecns.embedded.kubernetes.errors import ApiError, Object, forbidden, not_found
from ecns.embedded.kubernetes.selectors import matches, of_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecns.embedded.kubernetes.auth import User
    from ecns.embedded.kubernetes.cluster import Cluster

GROUP = "rbac.authorization.k8s.io"
ROLES, CLUSTER_ROLES = f"roles.{GROUP}", f"clusterroles.{GROUP}"
BINDINGS, CLUSTER_BINDINGS = f"rolebindings.{GROUP}", f"clusterrolebindings.{GROUP}"
_ACCOUNT = "system:serviceaccount:"
Rule = Object


class Attributes(msgspec.Struct, frozen=True):
    """What a request wants to do: to a resource, or (with `path`) to a path that is none."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full(self) -> str:
        """`pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Grant(NamedTuple):
    """A rule that a user has, and the words that say from where."""

    rule: Rule
    reason: str


def refused(user: User, wanted: Attributes, reason: str = "", verb: str = "") -> ApiError:
    """403 for what is not allowed."""
    verb, tail = verb or wanted.verb, f": {reason}" if reason else ""
    if wanted.path:
        why = f'forbidden: User "{user.name}" cannot {verb} path "{wanted.path}"{tail}'
        return ApiError(403, "Forbidden", why, details={})
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    why = (
        f'User "{user.name}" cannot {verb} resource "{wanted.full}" in API group "{wanted.group}" '
        f"{where}{tail}"
    )
    full = f"{wanted.resource}.{wanted.group}" if wanted.group else wanted.resource
    return forbidden(full, wanted.name, why)


def _has(values: list[str] | None, value: str) -> bool:
    return values is not None and ("*" in values or value in values)


def allows(rule: Rule, wanted: Attributes) -> bool:
    """Whether one rule allows something."""
    if not _has(rule.get("verbs"), wanted.verb):
        return False
    if wanted.path:
        return any(
            url in {"*", wanted.path} or (url.endswith("*") and wanted.path.startswith(url[:-1]))
            for url in rule.get("nonResourceURLs") or ()
        )
    if not _has(rule.get("apiGroups"), wanted.group):
        return False
    resources = rule.get("resources") or []
    known = {"*", wanted.full} | ({f"*/{wanted.subresource}"} if wanted.subresource else set())
    if not known & set(resources):
        return False
    names = rule.get("resourceNames")
    return not names or wanted.name in names


def _subject(subject: Object, user: User, namespace: str) -> str:
    """How a binding names the user; "" when it does not."""
    kind, name = subject.get("kind"), subject.get("name", "")
    if kind == "User" and name == user.name:
        return f'User "{name}"'
    if kind == "Group" and name in user.groups:
        return f'Group "{name}"'
    if kind == "ServiceAccount":
        space = subject.get("namespace") or namespace
        if user.name == f"{_ACCOUNT}{space}:{name}":
            return f'ServiceAccount "{name}/{space}"'
    return ""


class Authorizer:
    """Decides by the roles and bindings in the store, and keeps aggregated roles up to date."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        cluster.observe(CLUSTER_ROLES, lambda _event, _new, _old: self._aggregate())

    def decide(self, user: User, wanted: Attributes) -> tuple[bool, str]:
        """Whether a user may do something, and why (or what kept a rule from being found)."""
        if user.is_master:
            return True, ""
        problems: list[str] = []
        for grant in self._grants(user, wanted.namespace, problems):
            if allows(grant.rule, wanted):
                return True, grant.reason
        listed = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
        return False, f"RBAC: {listed}" if problems else ""

    def rules(self, user: User, namespace: str) -> list[Rule]:
        """Every rule of a user in a namespace ("" for the whole cluster)."""
        if user.is_master:
            everything: list[Rule] = [
                {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
                {"verbs": ["*"], "nonResourceURLs": ["*"]},
            ]
            return everything + [
                grant.rule for grant in self._grants(user, namespace, []) if "*" not in grant.rule["verbs"]
            ]
        return [grant.rule for grant in self._grants(user, namespace, [])]

    def _grants(self, user: User, namespace: str, problems: list[str]) -> Iterator[Grant]:
        bindings = [("ClusterRoleBinding", binding) for binding in self._cluster.list(CLUSTER_BINDINGS)]
        if namespace:
            bindings += [("RoleBinding", binding) for binding in self._cluster.list(BINDINGS, namespace)]
        for kind, binding in bindings:
            named = ""
            for subject in binding.get("subjects") or ():
                named = _subject(subject, user, namespace)
                if named:
                    break
            if not named:
                continue
            reference = binding["roleRef"]
            role = self._role(reference, namespace if kind == "RoleBinding" else "")
            if role is None:
                problems.append(f'{reference["kind"].lower()}.{GROUP} "{reference["name"]}" not found')
                continue
            name = binding["metadata"]["name"] + (f"/{namespace}" if kind == "RoleBinding" else "")
            reason = (
                f'RBAC: allowed by {kind} "{name}" of {reference["kind"]} "{reference["name"]}" to {named}'
            )
            for rule in role.get("rules") or ():
                yield Grant(rule, reason)

    def _role(self, reference: Object, namespace: str) -> Object | None:
        if reference["kind"] == "ClusterRole":
            return self._cluster.find(CLUSTER_ROLES, reference["name"])
        return self._cluster.find(ROLES, reference["name"], namespace)

    def check_impersonation(self, user: User, wanted: User, attributes: Attributes) -> None:
        """Whether one user may act as another.

        Raises:
            ApiError: 403.

        """
        needed = [_impersonated(wanted.name)]
        needed += [Attributes("impersonate", resource="groups", name=group) for group in wanted.groups]
        automatic = {"system:authenticated", "system:serviceaccounts"}
        for item in needed:
            if item.resource == "groups" and (
                item.name in automatic or item.name.startswith("system:serviceaccounts:")
            ):
                continue
            if not self.decide(user, item)[0]:
                raise refused(user, attributes, verb=f"impersonate-on:user-info:{attributes.verb}")

    def check_escalation(self, resource: str, new: Object, old: Object | None, user: User) -> None:
        """Refuses to give on rights that the giver has not.

        Raises:
            ApiError: 403; 404 for a binding whose role does not exist.

        """
        if user.is_master or resource not in {ROLES, CLUSTER_ROLES, BINDINGS, CLUSTER_BINDINGS}:
            return
        metadata = new["metadata"]
        namespace, plural = metadata.get("namespace", ""), resource.partition(".")[0]
        if resource in {ROLES, CLUSTER_ROLES}:
            if old is not None and old.get("rules") == new.get("rules"):
                return
            asked = Attributes("escalate", GROUP, plural, namespace=namespace, name=metadata["name"])
            rules = new.get("rules") or []
        else:
            if (
                old is not None
                and old.get("roleRef") == new.get("roleRef")
                and old.get("subjects") == new.get("subjects")
            ):
                return
            reference = new["roleRef"]
            bound = "clusterroles" if reference["kind"] == "ClusterRole" else "roles"
            asked = Attributes("bind", GROUP, bound, namespace=namespace, name=reference["name"])
            role = self._role(reference, namespace)
            if role is None:
                if self.decide(user, asked)[0]:
                    return
                raise not_found(resource, reference["name"])
            rules = role.get("rules") or []
        if self.decide(user, asked)[0]:
            return
        missing = _uncovered(self.rules(user, namespace), rules)
        if missing:
            groups = " ".join(f'"{group}"' for group in user.groups)
            why = (
                f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions '
                "not currently held:\n" + "\n".join(missing)
            )
            raise forbidden(resource, metadata["name"], why)

    def _aggregate(self) -> None:
        """Gives each aggregated ClusterRole the rules of those that its selectors name."""
        roles = self._cluster.list(CLUSTER_ROLES)
        for role in roles:
            chosen = (role.get("aggregationRule") or {}).get("clusterRoleSelectors")
            if chosen is None or role["metadata"].get("deletionTimestamp"):
                continue
            rules: list[Rule] = []
            for selector in chosen:
                terms = of_object(selector)
                for other in roles:
                    if other is not role and matches(terms, other["metadata"].get("labels") or {}):
                        rules += [rule for rule in other.get("rules") or () if rule not in rules]
            if rules != (role.get("rules") or []):
                self._cluster.update(CLUSTER_ROLES, {**role, "rules": rules})
                return


def _impersonated(name: str) -> Attributes:
    if name.startswith(_ACCOUNT):
        namespace, _, account = name.removeprefix(_ACCOUNT).partition(":")
        return Attributes("impersonate", resource="serviceaccounts", namespace=namespace, name=account)
    return Attributes("impersonate", resource="users", name=name)


def _uncovered(held: list[Rule], wanted: list[Rule]) -> list[str]:
    """The parts of `wanted` that no rule of `held` covers, as Kubernetes writes them."""
    missing: dict[tuple[str, str, str], list[str]] = {}
    for rule in wanted:
        names = rule.get("resourceNames") or [""]
        for verb in rule.get("verbs") or ():
            for group in rule.get("apiGroups") or ():
                for resource in rule.get("resources") or ():
                    for name in names:
                        if not any(_covers(own, verb, group, resource, name) for own in held):
                            verbs = missing.setdefault((group, resource, name), [])
                            if verb not in verbs:
                                verbs.append(verb)
            for url in rule.get("nonResourceURLs") or ():
                asked = Attributes(verb, path=url)
                if not any(allows(own, asked) for own in held):
                    missing.setdefault(("", "", url), []).append(verb)
    return sorted(_written(key, verbs) for key, verbs in missing.items())


def _covers(own: Rule, verb: str, group: str, resource: str, name: str) -> bool:
    head, _, sub = resource.partition("/")
    return allows(own, Attributes(verb, group, head, sub, name=name)) and (
        bool(name) or not own.get("resourceNames")
    )


def _written(key: tuple[str, str, str], verbs: list[str]) -> str:
    group, resource, name = key
    listed = " ".join(f'"{verb}"' for verb in verbs)
    if not resource:
        return f'{{NonResourceURLs:["{name}"], Verbs:[{listed}]}}'
    names = f', ResourceNames:["{name}"]' if name else ""
    return f'{{APIGroups:["{group}"], Resources:["{resource}"]{names}, Verbs:[{listed}]}}'


def rules_status(authorizer: Authorizer, user: User, namespace: str) -> Object:
    """The status of a SelfSubjectRulesReview."""
    resource_rules, path_rules = [], []
    for rule in authorizer.rules(user, namespace):
        if rule.get("nonResourceURLs"):
            path_rules.append({"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]})
        else:
            keys = ("verbs", "apiGroups", "resources", "resourceNames")
            resource_rules.append({key: rule[key] for key in keys if rule.get(key)})
    return {"resourceRules": resource_rules, "nonResourceRules": path_rules, "incomplete": False}
