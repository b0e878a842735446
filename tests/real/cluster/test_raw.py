"""Raw YAML: uploaded, changed by kubectl, edited; what a Kubernetes makes of it is what ECNS tells."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.answers import refused
from tests.api.raw.asking import done, post, put, shown
from tests.real.cluster.conftest import IMAGE, Site

pytestmark = pytest.mark.timeout(400)

NAME = "yaml"


def manifest(replicas: int = 1, **more: Any) -> dict[str, Any]:
    image = f"{IMAGE['image']}:{IMAGE['image_version']}"
    labels = {"app": NAME}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": image}], **more},
            },
        },
    }


def service(**spec: Any) -> dict[str, Any]:
    whole = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME}}
    return {**whole, "spec": {"selector": {"app": NAME}, "ports": [{"port": 80}], **spec}}


def test_a_manifest_through_its_life(site: Site) -> None:
    client: httpx.Client = site.client()
    assert [one.outcome for one in done(post(client, "deployment", NAME, manifest(), service()))] == [
        "created",
        "created",
    ]
    site.until(NAME, "Running")
    assert [one.outcome for one in done(post(client, "svc", NAME, service(), manifest()))] == [
        "unchanged"
    ] * 2
    # Somebody else has it otherwise.
    site.kubectl("scale", f"deployment/{NAME}", "--replicas=2")
    answer = post(client, "deployment", NAME, manifest(replicas=1))
    assert ".spec.replicas" in refused(answer, 409)
    done(post(client, "deployment", NAME, manifest(replicas=1), force="true"))
    assert site.kubectl_json("get", "deployment", NAME)["spec"]["replicas"] == 1
    # Unknown fields, wrong types and what cannot be changed.
    refused(post(client, "deployment", NAME, manifest(nosuch=1)), 400, field="spec.template.spec.nosuch")
    refused(post(client, "svc", NAME, service(ports=[{"port": "x"}])), 400)
    refused(post(client, "svc", NAME, service(clusterIP="127.0.0.1")), 400)
    other = manifest()
    other["spec"]["selector"] = {"matchLabels": {"app": NAME, "other": "x"}}
    refused(post(client, "deployment", NAME, other), 400)
    # An edit of what was shown, which is not what is there any more.
    whole = shown(client, "svc", NAME)
    assert "managedFields" not in whole["metadata"]
    site.kubectl("label", "service", NAME, "by=kubectl")
    whole["spec"]["ports"][0]["name"] = "web"
    refused(put(client, "svc", NAME, whole), 409)
    whole = shown(client, "svc", NAME)
    whole["spec"]["ports"][0]["name"] = "web"
    done(put(client, "svc", NAME, whole))
    there = site.kubectl_json("get", "service", NAME)
    assert there["spec"]["ports"][0]["name"] == "web"
    assert there["metadata"]["labels"]["by"] == "kubectl"
    whole["spec"]["nosuch"] = 1
    del whole["metadata"]["resourceVersion"]
    assert "nosuch" in refused(put(client, "svc", NAME, whole), 400)
