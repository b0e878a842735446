"""ConfigMaps and Secrets that a running workload uses, with Kubernetes agreeing at every step."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.api.secrets.pems import EC, EXPIRES, certificate, private
from tests.gateway import eventually
from tests.real.cluster.conftest import IMAGE, SECONDS, Site

pytestmark = pytest.mark.timeout(400)


def asked(site: Site, method: str, path: str, status: int = 200, **body: Any) -> Any:
    answer = site.client().request(method, path, json=body or None)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_what_a_workload_uses(site: Site) -> None:
    settings = {"COLOUR": "blue", "app.ini": "[a]\nb = ä\n"}
    asked(site, "POST", "/kubernetes/configmap/settings/", configmap={"name": "settings", "config": settings})
    secret = {"name": "login", "type": "Opaque", "opaque": {"password": "s3cr$t"}, "binary": {"raw": "AP8="}}
    asked(site, "POST", "/kubernetes/secret/", secret=secret)
    container = {
        "name": "web",
        "type": "worker",
        "image": IMAGE,
        "env": [
            {"type": "ConfigMap", "name": "COLOUR", "key": "settings", "value": "COLOUR"},
            {"type": "Secret", "name": "PASSWORD", "key": "login", "value": "password"},
        ],
        "volume_mounts": [{"volume_name": "files", "mount_path": "/etc/settings", "read_only": True}],
    }
    volume = {"name": "files", "type": "ConfigMap", "configmap": {"type": "ConfigMap", "name": "settings"}}
    base = {"name": "user", "type": "Deployment", "replicas": 1}
    workload = {"workload_base": base, "containers": [container], "volumes": [volume]}
    asked(site, "POST", "/workloads/", workloads=[workload])
    site.until("user", "Running")
    pod = site.kubectl_json("get", "pods", "-l", "ecns.easystack.com/workload=user")["items"][0]
    printed = site.kubectl(
        "exec", pod["metadata"]["name"], "-c", "web", "--", "sh", "-c", "echo $COLOUR $PASSWORD"
    )
    assert printed.split() == ["blue", "s3cr$t"]
    shown = site.kubectl("exec", pod["metadata"]["name"], "-c", "web", "--", "cat", "/etc/settings/app.ini")
    assert shown == settings["app.ini"]
    users = [{"kind": "Deployment", "name": "user"}]
    for path, body in (
        ("/kubernetes/configmaps/", {"configmaps": ["settings"]}),
        ("/kubernetes/secret/", {"secrets": [{"name": "login"}]}),
    ):
        assert asked(site, "DELETE", path, 409, **body)["details"]["used_by"] == users
    asked(site, "DELETE", "/workloads/", workloads_base=[{"name": "user", "type": "Deployment"}])

    def free() -> bool:
        return not asked(site, "GET", "/kubernetes/configmap/settings/")["used_by"]

    eventually(free, seconds=SECONDS)
    asked(site, "DELETE", "/kubernetes/configmaps/", configmaps=["settings"])
    asked(site, "DELETE", "/kubernetes/secret/", secrets=[{"name": "login"}])
    assert site.kubectl("get", "configmap,secret", "-o", "name").count("login") == 0


def test_changes_and_conflicts(site: Site) -> None:
    path = "/kubernetes/configmap/changing/"
    seen = asked(site, "POST", path, configmap={"config": {"a": "1", "b": "2"}, "binary": {"c": "AP8="}})[
        "configmap"
    ]
    site.kubectl("label", "configmap", "changing", "team=blue")
    sent = {"config": {"a": "3"}, "resource_version": seen["resource_version"]}
    asked(site, "PATCH", path, 409, configmap=sent)
    sent.pop("resource_version")
    now = asked(site, "PATCH", path, configmap=sent)["configmap"]
    assert (now["config"], now["binary"]) == ({"a": "3"}, {"c": "AP8="})
    there = site.kubectl_json("get", "configmap", "changing")
    assert (there["data"], there["binaryData"]) == (now["config"], now["binary"])
    assert there["metadata"]["labels"]["team"] == "blue"
    large = "x" * 1024 * 1024
    asked(site, "PATCH", path, 400, configmap={"config": {"a": large}})
    asked(site, "PATCH", path, configmap={"config": {"a": large}, "binary": {}})
    asked(site, "PATCH", path, configmap={"config": {"a": "y" * 1024 * 1024}})
    asked(site, "PATCH", path, configmap={"config": {}, "immutable": True})
    asked(site, "PATCH", path, 409, configmap={"config": {"a": "4"}})
    asked(site, "POST", path, 409, configmap={"config": {}})
    asked(site, "DELETE", "/kubernetes/configmaps/", configmaps=["changing"])


def test_secrets_of_all_types(site: Site) -> None:
    cert, key = certificate(EC), private(EC)
    made = asked(
        site,
        "POST",
        "/kubernetes/secret/",
        secret={"name": "tls", "type": "Tls", "tls": {"cert": cert, "key": key}},
    )
    assert made["expires"] == EXPIRES
    login = {"URI": "r.example", "username": "u", "password": "p:w"}
    docker = {"name": "pull", "type": "Dockerconfigjson", "dockerconfigjson": login}
    asked(site, "POST", "/kubernetes/secret/", secret=docker)
    site.kubectl(
        "create", "secret", "generic", "basic", "--type=kubernetes.io/basic-auth", "--from-literal=username=u"
    )
    rows = {row["name"]: row["type"] for row in asked(site, "GET", "/kubernetes/secret/")["secrets"]}
    assert (
        rows.items()
        >= {"tls": "Tls", "pull": "Dockerconfigjson", "basic": "kubernetes.io/basic-auth"}.items()
    )
    assert asked(site, "GET", "/kubernetes/secret/pull/")["secret"]["dockerconfigjson"] == {
        **login,
        "mail": None,
    }
    there = site.kubectl_json("get", "secret", "tls")["data"]
    assert base64.b64decode(there["tls.key"]).decode() == key
    # Kubernetes' own refusal: ECNS has no word for what this type needs.
    refused = asked(site, "PATCH", "/kubernetes/secret/", 400, secret={"name": "basic", "opaque": {}})
    assert "data[username]" in refused["error"]["message"]
    asked(site, "DELETE", "/kubernetes/secret/", secrets=["tls", "pull", "basic"])
