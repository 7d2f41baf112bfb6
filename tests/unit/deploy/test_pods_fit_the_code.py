"""What the manifests say of Penstock, against Penstock: settings, routes, times, sizes."""

import os
import re
from pathlib import Path

import pytest

from api.app import contract
from api.listener import GRACE_SECONDS
from api.probe import LOOK_SECONDS
from api.processes import STOP_SECONDS
from cli.up import AFTER_DRAIN_SECONDS
from shared.environment import load_settings
from shared.model import read_schemas
from shared.settings import Settings
from tests.unit.deploy.manifests import (
    API,
    BASE,
    EXAMPLE,
    REDIS,
    WORKER,
    Object,
    container,
    documents,
    pod,
    shared_settings,
    title,
    variables,
)
from worker.heartbeat import STALE_SECONDS, VARIABLE

SETTINGS = {f"PENSTOCK_{name.upper()}" for name in Settings.model_fields}
PENSTOCKS = (API, WORKER)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # no .env of the developer's
    for name in list(os.environ):
        if name.startswith("PENSTOCK_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("workload", PENSTOCKS, ids=title)
def test_every_variable_is_a_setting(workload: Object) -> None:
    assert variables(workload).keys() <= SETTINGS | {"PENSTOCK_SECRETS_DIR"}


def test_settings_that_are_shared_are_of_base_and_example() -> None:
    assert {"PENSTOCK_LEASE_SECONDS", "PENSTOCK_MAX_QUEUED_PER_OWNER"} <= shared_settings().keys()


@pytest.mark.parametrize("workload", PENSTOCKS, ids=title)
def test_the_settings_are_valid_with_secrets_as_kubernetes_mounts_them(
    workload: Object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets = mount(
        tmp_path, penstock_redis_url="redis://:word@penstock-redis:6379/0", penstock_api_keys=f"ann:{'0' * 64}"
    )
    for name, value in variables(workload).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PENSTOCK_SECRETS_DIR", str(secrets))

    settings = load_settings()

    assert settings.redis_url == "redis://:word@penstock-redis:6379/0"
    assert [line.name for line in settings.keys] == ["ann"]


@pytest.mark.parametrize("workload", PENSTOCKS, ids=title)
def test_the_secrets_are_mounted_where_they_are_looked_for(workload: Object) -> None:
    (mounted,) = (each for each in container(workload)["volumeMounts"] if each["name"] == "secrets")
    (volume,) = (each for each in pod(workload)["volumes"] if each["name"] == "secrets")

    assert variables(workload)["PENSTOCK_SECRETS_DIR"] == mounted["mountPath"]
    assert mounted["readOnly"] is True
    assert volume["secret"] == {"secretName": "penstock-secrets", "defaultMode": 0o440}


def test_the_api_listens_where_it_is_probed() -> None:
    (port,) = container(API)["ports"]

    assert str(port["containerPort"]) == variables(API)["PENSTOCK_API_PORT"]
    assert variables(API)["PENSTOCK_API_HOST"] == "0.0.0.0"


def test_every_probe_asks_for_a_route_of_the_api() -> None:
    settings = load_settings()
    routes = contract(settings, read_schemas(settings.models))["paths"]
    asked = {name: container(API)[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}

    assert asked == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}
    assert set(asked.values()) <= routes.keys()


def test_readiness_waits_for_an_answer_and_outlasts_a_restart_of_redis() -> None:
    probe = container(API)["readinessProbe"]

    assert probe["timeoutSeconds"] > LOOK_SECONDS + 1  # what an API may take to say that Redis is away, and some
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 30


def test_an_api_that_stops_has_the_time_it_takes() -> None:
    pause = container(API)["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert STOP_SECONDS > GRACE_SECONDS
    assert pod(API)["terminationGracePeriodSeconds"] > pause + STOP_SECONDS


def test_a_worker_that_stops_has_its_drain_and_what_it_takes_beyond() -> None:
    drain = float(variables(WORKER)["PENSTOCK_DRAIN_SECONDS"])

    assert pod(WORKER)["terminationGracePeriodSeconds"] >= drain + 2 * AFTER_DRAIN_SECONDS


@pytest.mark.parametrize("kind", ["startupProbe", "livenessProbe"])
def test_a_worker_is_asked_for_its_heartbeat(kind: str) -> None:
    probe = container(WORKER)[kind]

    assert probe["exec"]["command"] == ["python", "-P", "-m", "worker.heartbeat"]


def test_the_heartbeat_is_a_file_in_memory_that_outlives_no_pod() -> None:
    beat = Path(variables(WORKER)[VARIABLE])
    (mounted,) = (each for each in container(WORKER)["volumeMounts"] if each["mountPath"] == str(beat.parent))
    (volume,) = (each for each in pod(WORKER)["volumes"] if each["name"] == mounted["name"])

    assert volume["emptyDir"]["medium"] == "Memory"


def test_a_worker_that_misses_a_beat_is_not_restarted_for_it() -> None:
    probe = container(WORKER)["livenessProbe"]

    assert probe["periodSeconds"] * probe["failureThreshold"] > STALE_SECONDS


def test_a_model_has_ten_minutes_to_load() -> None:
    probe = container(WORKER)["startupProbe"]

    assert probe["periodSeconds"] * probe["failureThreshold"] >= 600


def test_a_worker_has_a_child_for_each_of_its_cpus() -> None:
    resources = container(WORKER)["resources"]

    assert "PENSTOCK_CONCURRENCY" not in variables(WORKER)
    assert resources["requests"] == resources["limits"]
    assert resources["limits"]["cpu"].isdecimal()


def test_redis_keeps_what_it_is_given() -> None:
    lines = (BASE.parent / "components" / "redis" / "redis.conf").read_text().splitlines()
    config = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))

    assert config["appendonly"] == "yes"
    assert config["maxmemory-policy"] == "noeviction"
    assert config["list-compress-depth"] == "1"
    assert mebibytes(config["maxmemory"]) * 2 <= mebibytes(container(REDIS)["resources"]["limits"]["memory"])


def test_redis_reads_and_writes_where_something_is_mounted() -> None:
    config = (BASE.parent / "components" / "redis" / "redis.conf").read_text().split()
    mounted = {each["mountPath"] for each in container(REDIS)["volumeMounts"]}

    assert {"/data", "/run/secrets/redis", "/etc/redis"} == mounted
    assert {"/data", "/run/secrets/redis/auth.conf"} <= set(config)
    assert container(REDIS)["command"] == ["valkey-server", "/etc/redis/redis.conf"]


def test_the_example_asks_for_what_pod_security_calls_restricted() -> None:
    (namespace,) = documents(EXAMPLE / "namespace.yaml")
    (kustomization,) = documents(EXAMPLE / "kustomization.yaml")

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert namespace["metadata"]["name"] == kustomization["namespace"]


def mount(folder: Path, **files: str) -> Path:
    """Write a Secret as the kubelet does: each file is a link, by way of another, to a folder with the date."""
    mounted, dated = folder / "secrets", folder / "secrets" / "..2026_01_01_00_00_00.1"
    dated.mkdir(parents=True)
    (mounted / "..data").symlink_to(dated.name)
    for name, text in files.items():
        (dated / name).write_text(text)
        (mounted / name).symlink_to(f"..data/{name}")
    return mounted


def mebibytes(text: str) -> int:
    """Read a size as Redis (768mb) or Kubernetes (1536Mi) writes it."""
    found = re.fullmatch(r"(\d+)([mg])[ib]", text.lower())
    assert found, text
    return int(found[1]) * {"m": 1, "g": 1024}[found[2]]
