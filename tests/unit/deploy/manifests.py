"""The Kubernetes manifests of deploy/, as the tests read them: as files, without kustomize."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
KUBERNETES = ROOT / "deploy" / "kubernetes"
BASE = KUBERNETES / "base"
COMPONENTS = KUBERNETES / "components"
EXAMPLE = KUBERNETES / "overlays" / "example"
KUSTOMIZATIONS = sorted(KUBERNETES.rglob("kustomization.yaml"))
NAME, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"

Object = dict[str, Any]


def documents(path: Path) -> list[Object]:
    """Return the documents of a YAML file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def objects() -> Iterator[Object]:
    """Yield every object of the base, the components and the example."""
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from documents(path)


def title(found: Object) -> str:
    """Return what a test calls an object."""
    return f"{found['kind']} {found['metadata']['name']}"


OBJECTS = list(objects())
WORKLOADS = [found for found in OBJECTS if found["kind"] in {"Deployment", "StatefulSet"}]


def the(kind: str, name: str) -> Object:
    """Return the one object of this kind and name."""
    (found,) = (each for each in OBJECTS if title(each) == f"{kind} {name}")
    return found


def pod(workload: Object) -> Object:
    """Return the specification of a workload's pods."""
    found: Object = workload["spec"]["template"]["spec"]
    return found


def container(workload: Object) -> Object:
    """Return the one container of a workload's pods."""
    (found,) = pod(workload)["containers"]
    return dict(found)


def variables(workload: Object) -> dict[str, str]:
    """Return what a workload's container gets as its environment, from the settings that all share too."""
    own = {each["name"]: each["value"] for each in container(workload).get("env", ())}
    return {**(shared_settings() if "envFrom" in container(workload) else {}), **own}


def shared_settings() -> dict[str, str]:
    """Return the settings that the base and the example hand to API and workers."""
    literals = [
        literal
        for folder in (BASE, EXAMPLE)
        for generator in documents(folder / "kustomization.yaml")[0].get("configMapGenerator", ())
        if generator["name"] == "penstock-settings"
        for literal in generator["literals"]
    ]
    return dict(literal.split("=", 1) for literal in literals)


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Tell whether a label selector (with no operator but In) selects what has these labels."""
    exact = selector.get("matchLabels", {})
    choices = {each["key"]: each["values"] for each in selector.get("matchExpressions", ()) if each["operator"] == "In"}
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        labels.get(key) in values for key, values in choices.items()
    )


API, WORKER, REDIS = (
    the("Deployment", "penstock-api"),
    the("Deployment", "penstock-worker"),
    the("StatefulSet", "penstock-redis"),
)
