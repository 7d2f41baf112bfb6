"""What kustomize makes of the manifests, where it can be had (kubectl has it built in)."""

import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.unit.deploy.manifests import COMPONENT, COMPONENTS, EXAMPLE, KUBERNETES, NAME, Object, title

SECONDS = 60
NO_NAMESPACE = {"Namespace"}
COMMANDS = [["kustomize", "build"], ["kubectl", "kustomize"]]


@pytest.fixture(scope="module")
def command() -> list[str]:
    """Return the command that builds a kustomization."""
    for each in COMMANDS:
        if shutil.which(each[0]):
            return each
    pytest.skip("neither kustomize nor kubectl is installed")


@pytest.fixture(scope="module")
def example(command: list[str]) -> list[Object]:
    """Return the example's objects."""
    return build(command, EXAMPLE)


@pytest.fixture(scope="module")
def everything(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    """Return the objects of an overlay with every component."""
    copy = tmp_path_factory.mktemp("deploy") / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    overlay = copy / "overlays" / "example" / "kustomization.yaml"
    kustomization = yaml.safe_load(overlay.read_text())
    kustomization["components"] = [f"../../components/{folder.name}" for folder in sorted(COMPONENTS.iterdir())]
    overlay.write_text(yaml.safe_dump(kustomization))
    return build(command, overlay.parent)


def test_the_example_is_what_kubernetes_takes(example: list[Object]) -> None:
    for found in example:
        kubernetes_validate.validate(found, kubernetes_validate.latest_version(), strict=True)


def test_everything_lands_in_the_namespace(everything: list[Object]) -> None:
    spaces = {found["metadata"].get("namespace") for found in everything if found["kind"] not in NO_NAMESPACE}

    assert spaces == {"penstock"}


def test_the_images_are_those_of_the_example(example: list[Object]) -> None:
    images = {title(found): one_container(found)["image"] for found in example if "template" in found.get("spec", {})}

    assert images == {
        "Deployment penstock-api": "registry.example.com/penstock-api:0.1.0",
        "Deployment penstock-worker": "registry.example.com/penstock-worker:0.1.0",
        "StatefulSet penstock-redis": "valkey/valkey:9.1",
    }


def test_the_settings_are_merged_and_their_change_restarts_the_pods(example: list[Object]) -> None:
    (settings,) = (found for found in example if title(found).startswith("ConfigMap penstock-settings-"))
    workloads = [found for found in example if found["kind"] == "Deployment"]

    assert {"PENSTOCK_LEASE_SECONDS", "PENSTOCK_MAX_QUEUED_PER_OWNER"} <= settings["data"].keys()
    assert all(
        one_container(found)["envFrom"] == [{"configMapRef": {"name": settings["metadata"]["name"]}}]
        for found in workloads
    )


def test_an_autoscaler_is_the_only_one_to_say_how_many(everything: list[Object]) -> None:
    assert all("replicas" not in found["spec"] for found in everything if found["kind"] == "Deployment")


def test_labels_are_added_and_selectors_left_alone(example: list[Object]) -> None:
    for found in example:
        if found["kind"] == "Deployment":
            assert found["metadata"]["labels"]["app.kubernetes.io/part-of"] == "penstock"
            assert found["spec"]["selector"]["matchLabels"].keys() == {NAME, COMPONENT}


def build(command: list[str], folder: Path) -> list[Object]:
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def one_container(workload: Object) -> Object:
    (found,) = workload["spec"]["template"]["spec"]["containers"]
    return dict(found)
