from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.embedded.kubernetes.conftest import Client

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_PODS = "/api/v1/namespaces/default/pods"
_JANE = {"Impersonate-User": "jane"}


async def _grant(api: Client, role: str, kind: str = "ClusterRole") -> None:
    body = {
        "metadata": {"name": f"jane-{role}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    assert (await api.post(f"{_RBAC}/namespaces/default/rolebindings", body)).status == 201


async def test_nobody_may_anything_unless_a_role_says_so(api: Client) -> None:
    refused = await api.call("GET", _PODS, headers=_JANE)
    assert refused.status == 403
    assert refused.message == (
        'pods is forbidden: User "jane" cannot list resource "pods" '
        'in API group "" in the namespace "default"'
    )
    await _grant(api, "view")
    assert (await api.call("GET", _PODS, headers=_JANE)).status == 200
    assert (await api.call("GET", "/api/v1/namespaces/kube-system/pods", headers=_JANE)).status == 403
    assert (await api.call("GET", "/api/v1/namespaces/default/secrets", headers=_JANE)).status == 403


async def test_aggregated_roles_follow_their_parts(api: Client) -> None:
    role = {
        "metadata": {"name": "more", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get"]}],
    }
    await api.post(f"{_RBAC}/clusterroles", role)
    for name in ("view", "edit", "admin"):
        rules = (await api.get(f"{_RBAC}/clusterroles/{name}")).json["rules"]
        assert any(rule["apiGroups"] == ["example.com"] for rule in rules)


async def test_rights_that_one_has_not_cannot_be_given_on(api: Client) -> None:
    await _grant(api, "admin")
    role: dict[str, Any] = {
        "metadata": {"name": "nodes"},
        "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}],
    }
    refused = await api.call("POST", f"{_RBAC}/namespaces/default/roles", role, headers=_JANE)
    assert refused.status == 403
    assert '{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}' in refused.message
    role["rules"][0]["resources"] = ["pods"]
    assert (await api.call("POST", f"{_RBAC}/namespaces/default/roles", role, headers=_JANE)).status == 201


async def test_tokens_of_service_accounts(api: Client) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    await api.post(accounts, {"metadata": {"name": "robot"}})
    token = (await api.post(f"{accounts}/robot/token", {"spec": {}})).json["status"]["token"]
    mine = {"Authorization": f"Bearer {token}"}
    review = await api.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, headers=mine)
    assert review.json["status"]["userInfo"]["username"] == "system:serviceaccount:default:robot"
    assert (await api.call("GET", _PODS, headers=mine)).status == 403
    await api.delete(f"{accounts}/robot")
    assert (await api.call("GET", _PODS, headers=mine)).status == 401


async def test_no_token_is_anonymous_and_a_wrong_one_is_401(api: Client) -> None:
    assert (await api.call("GET", _PODS, headers={"Authorization": ""})).status == 403
    assert (await api.call("GET", "/version", headers={"Authorization": ""})).status == 200
    assert (await api.call("GET", "/version", headers={"Authorization": "Bearer nonsense"})).status == 401


async def test_access_reviews_answer_as_the_server_would(api: Client) -> None:
    await _grant(api, "view")
    spec = {"resourceAttributes": {"namespace": "default", "verb": "list", "resource": "pods"}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    reply = await api.call("POST", path, {"spec": spec}, headers=_JANE)
    assert reply.json["status"]["allowed"] is True
    assert 'ClusterRole "view" to User "jane"' in reply.json["status"]["reason"]
