"""The manifest of Kubernetes: it fits together, and to the server's times and addresses."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from nncli.serving.app import ROUTES
from nncli.serving.server_options import ServerOptions
from tests.deploy.support import DEPLOY, check_options

MANIFEST = DEPLOY / "kubernetes.yaml"
DOCUMENTS: dict[str, Any] = {item["kind"]: item for item in yaml.safe_load_all(MANIFEST.read_text("utf-8"))}
POD = DOCUMENTS["Deployment"]["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


def test_selectors_find_the_pods() -> None:
    labels = DOCUMENTS["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    assert DOCUMENTS["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels
    assert DOCUMENTS["Service"]["spec"]["selector"].items() <= labels
    assert DOCUMENTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels


def test_ports_have_the_names_that_are_used() -> None:
    (port,) = CONTAINER["ports"]
    assert port == {"name": "http", "containerPort": 8000}
    assert [item["targetPort"] for item in DOCUMENTS["Service"]["spec"]["ports"]] == ["http"]
    probes = [CONTAINER[f"{kind}Probe"]["httpGet"] for kind in ("readiness", "liveness", "startup")]
    assert {probe["port"] for probe in probes} == {"http"}
    assert {probe["path"] for probe in probes} <= {route.path for route in ROUTES}
    annotations = DOCUMENTS["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] in {route.path for route in ROUTES}


def test_no_request_is_lost_when_a_pod_is_replaced() -> None:
    update = DOCUMENTS["Deployment"]["spec"]["strategy"]["rollingUpdate"]
    assert (update["maxUnavailable"], update["maxSurge"]) == (0, 1)
    command = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    options = CONTAINER["args"]
    timeout = int(options[options.index("--timeout") + 1].removesuffix("s"))
    assert timeout == ServerOptions().timeout
    assert POD["terminationGracePeriodSeconds"] > int(command[1]) + timeout
    readiness = CONTAINER["readinessProbe"]
    assert int(command[1]) >= readiness["periodSeconds"] * readiness["failureThreshold"]


def test_the_container_has_no_rights_and_bounded_memory() -> None:
    assert POD["securityContext"]["runAsNonRoot"]
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert CONTAINER["resources"]["limits"]["memory"] == "1Gi"
    check_options(CONTAINER["args"])


@pytest.mark.parametrize("kind", list(DOCUMENTS))
def test_kubernetes_accepts_it(kind: str) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed").validate
    validate(json.loads(json.dumps(DOCUMENTS[kind])), "1.37", strict=True)
