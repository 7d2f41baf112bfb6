"""The Kubernetes manifests by themselves: to the schemas, complete, restricted, and of one piece."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.unit.deploy.manifests import (
    COMPONENT,
    KUBERNETES,
    KUSTOMIZATIONS,
    NAME,
    OBJECTS,
    WORKLOADS,
    Object,
    container,
    documents,
    pod,
    selects,
    title,
)

OLDEST = "1.30"  # docs/kubernetes.md
WITHOUT_SCHEMA = {"ScaledObject", "PodMonitor"}  # custom resources: see test_custom_resources.py
KNOWN = [found for found in OBJECTS if found["kind"] not in WITHOUT_SCHEMA]
POLICIES = [found for found in OBJECTS if found["kind"] == "NetworkPolicy"]
LABELS = [workload["spec"]["template"]["metadata"]["labels"] for workload in WORKLOADS]


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("found", KNOWN, ids=title)
def test_it_is_what_kubernetes_takes(found: Object, version: str) -> None:
    kubernetes_validate.validate(found, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_noticed() -> None:
    broken = {**KNOWN[0], "spec": {**KNOWN[0]["spec"], "replica": 1}}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, OLDEST, strict=True)


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_a_kustomization_has_every_file_beside_it(path: Path) -> None:
    (kustomization,) = documents(path)
    generated = [
        file for generator in kustomization.get("configMapGenerator", ()) for file in generator.get("files", ())
    ]
    named = [*kustomization.get("resources", ()), *generated]
    beside = {file.name for file in path.parent.iterdir()} - {path.name}

    assert {name for name in named if "/" not in name} == beside
    assert kustomization["kind"] == ("Component" if path.parent.parent.name == "components" else "Kustomization")


def test_every_folder_that_a_kustomization_names_is_there() -> None:
    for path in KUSTOMIZATIONS:
        (kustomization,) = documents(path)
        named = [*kustomization.get("resources", ()), *kustomization.get("components", ())]
        assert all((path.parent / name).exists() for name in named), path


def test_every_image_is_named_by_the_example() -> None:
    (kustomization,) = documents(KUBERNETES / "overlays" / "example" / "kustomization.yaml")

    assert {container(workload)["image"] for workload in WORKLOADS} == {
        image["name"] for image in kustomization["images"]
    }


@pytest.mark.parametrize("workload", WORKLOADS, ids=title)
def test_a_pod_is_restricted(workload: Object) -> None:
    found, inside = pod(workload), container(workload)["securityContext"]

    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["securityContext"]["runAsUser"] > 0
    assert found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert found["automountServiceAccountToken"] is False
    assert found["enableServiceLinks"] is False
    assert inside == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & found.keys()


@pytest.mark.parametrize("workload", WORKLOADS, ids=title)
def test_a_container_says_what_it_needs_and_mounts_what_there_is(workload: Object) -> None:
    inside, found = container(workload), pod(workload)
    claimed = {each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", ())}

    assert inside["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in inside["resources"]["limits"]
    assert {mount["name"] for mount in inside["volumeMounts"]} == {each["name"] for each in found["volumes"]} | claimed


@pytest.mark.parametrize("workload", WORKLOADS, ids=title)
def test_a_workload_selects_its_own_pods_alone(workload: Object) -> None:
    selector = workload["spec"]["selector"]
    spreads = [each["labelSelector"] for each in pod(workload).get("topologySpreadConstraints", ())]

    assert [labels for labels in LABELS if selects(selector, labels)] == [
        workload["spec"]["template"]["metadata"]["labels"]
    ]
    assert all(spread == selector for spread in spreads)


@pytest.mark.parametrize(
    "found",
    [found for found in OBJECTS if found["kind"] in {"Service", "PodDisruptionBudget", "PodMonitor"}],
    ids=title,
)
def test_what_has_a_workloads_name_selects_its_pods(found: Object) -> None:
    selector = found["spec"]["selector"]
    (workload,) = (each for each in WORKLOADS if each["metadata"]["name"] == found["metadata"]["name"])

    assert selects(
        {"matchLabels": selector} if found["kind"] == "Service" else selector,
        workload["spec"]["template"]["metadata"]["labels"],
    )
    assert {NAME, COMPONENT} <= (selector if found["kind"] == "Service" else selector["matchLabels"]).keys()


def test_every_named_port_is_a_containers() -> None:
    ports = {port["name"] for workload in WORKLOADS for port in container(workload).get("ports", ())}
    services = [
        port["targetPort"] for found in OBJECTS if found["kind"] == "Service" for port in found["spec"]["ports"]
    ]
    monitors = [
        endpoint["port"]
        for found in OBJECTS
        if found["kind"] == "PodMonitor"
        for endpoint in found["spec"]["podMetricsEndpoints"]
    ]
    allowed = [port["port"] for policy in POLICIES for rule in rules_of(policy) for port in rule["ports"]]

    assert ports == {"http", "redis"}
    assert {*services, *monitors, *(port for port in allowed if isinstance(port, str))} == ports


def test_nothing_comes_or_goes_by_default() -> None:
    (policy,) = (each for each in POLICIES if each["metadata"]["name"] == "penstock-default-deny")

    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & policy["spec"].keys()
    assert all(selects(policy["spec"]["podSelector"], labels) for labels in LABELS)


@pytest.mark.parametrize(
    ("component", "out", "into"),
    [("api", {6379, 53, 443}, {"http"}), ("worker", {6379, 53}, set()), ("redis", set(), {"redis"})],
)
def test_a_pod_reaches_and_is_reached_by_what_it_needs(component: str, out: set[object], into: set[object]) -> None:
    labels = next(labels for labels in LABELS if labels[COMPONENT] == component)
    mine = [policy for policy in POLICIES if selects(policy["spec"]["podSelector"], labels)]

    assert ports_of(mine, "egress") == out
    assert ports_of(mine, "ingress") == into


def rules_of(policy: Object) -> list[Any]:
    return [rule for direction in ("ingress", "egress") for rule in policy["spec"].get(direction, ())]


def ports_of(policies: list[Object], direction: str) -> set[object]:
    return {port["port"] for policy in policies for rule in policy["spec"].get(direction, ()) for port in rule["ports"]}
