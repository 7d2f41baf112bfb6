"""`penstock doctor` on a healthy installation, and on ones that are broken in one way each."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.ledger.connection import Ledger
from tests.contract.steps import claim, expire_lease, submit
from tests.integration.client import Client
from tests.integration.crowd import variant
from tests.integration.nodes import ROOT, WorkerProcess
from tests.redis_server import KINDS, RedisServer
from tests.waiting import eventually

Findings = dict[str, dict[str, str]]


@pytest.fixture(params=KINDS)
def broker_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    server = RedisServer(request.param, "--list-compress-depth", "1")
    yield server
    server.close()


def doctor(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    return subprocess.run(
        [sys.executable, "-m", "cli", "doctor", *arguments],
        env={**clean, "PENSTOCK_API_PORT": "1", **variables},  # nothing answers there, unless PENSTOCK_URL says where
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,  # whatever is wrong, it comes to an end
        check=False,
    )


def examined(redis_url: str, **variables: str) -> tuple[int, Findings]:
    """The exit code, and the findings by check."""
    done = doctor("--json", PENSTOCK_REDIS_URL=redis_url, **variables)
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert said["ok"] == (done.returncode == 0)
    return done.returncode, {finding["check"]: finding for finding in said["findings"]}


def failed(found: Findings) -> list[str]:
    return [check for check, finding in found.items() if finding["word"] == "fail"]


def until_served(client: Client) -> str:
    """Wait until every model has a worker; return the API's URL."""

    def is_served() -> bool:
        models: dict[str, Any] = client.http.get("/readyz").json()["models"]
        return all(model["slots"] == 2 for model in models.values())

    eventually(is_served, within=20)
    return str(client.http.base_url)


def test_a_healthy_installation(broker_server: RedisServer, client: Client, worker: WorkerProcess) -> None:
    task = client.submit("echo", text="a")
    assert client.finished(task["task_id"])["status"] == "succeeded"
    url = until_served(client)

    code, found = examined(broker_server.url, PENSTOCK_URL=url)

    assert {check: finding["word"] for check, finding in found.items()} == dict.fromkeys(found, "ok"), found
    models = ["model echo", "model faulty", "model wait"]
    checks = ["redis", "persistence", "memory", "messages", "clock", "api", "schemas", "workers", *models]
    assert (code, list(found)) == (0, [*checks, "leases", "callbacks"])
    assert found["schemas"]["found"] == "3 models, the same on 1 worker and the API"
    assert found["model echo"]["found"] == "2 of 2 slots free; nothing queued"

    text = doctor("--url", url, PENSTOCK_REDIS_URL=broker_server.url)
    assert (text.returncode, text.stderr) == (0, "")
    assert [line.split()[0] for line in text.stdout.splitlines()] == ["ok"] * len(found)


def test_a_server_that_may_evict(broker_server: RedisServer) -> None:
    broker_server.client.config_set("maxmemory", "100mb")
    broker_server.client.config_set("maxmemory-policy", "allkeys-lru")

    code, found = examined(broker_server.url)

    assert (code, failed(found)) == (1, ["redis"])
    assert "allkeys-lru" in found["redis"]["found"]


def test_a_server_that_keeps_nothing(broker_server: RedisServer) -> None:
    broker_server.client.config_set("appendonly", "no")

    code, found = examined(broker_server.url)

    assert (code, failed(found)) == (1, ["persistence"])
    assert "everything is lost" in found["persistence"]["found"]


def test_tasks_that_no_worker_can_run(broker_server: RedisServer, ledger: Ledger) -> None:
    for _ in range(3):
        submit(ledger, model="nobodys")

    code, found = examined(broker_server.url)

    assert (code, failed(found)) == (1, ["model nobodys"])
    assert "no worker; 3 queued" in found["model nobodys"]["found"]
    assert "PENSTOCK_MODELS" in found["model nobodys"]["advice"]


def test_a_worker_that_has_another_version_of_a_model(
    broker_server: RedisServer,
    environment: dict[str, str],
    add_worker: Callable[..., WorkerProcess],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    old, new = (variant(tmp_path / name / "crowd", MAX_BATCH=size) for name, size in (("old", 2), ("new", 4)))
    environment["PENSTOCK_MODELS"] = str(new)
    client: Client = request.getfixturevalue("client")
    late, early = add_worker(PENSTOCK_MODELS=str(old)), add_worker()
    for one in (late, early):
        one.ready()
    eventually(lambda: client.http.get("/models/crowd").json()["workers"] == 2)

    code, found = examined(broker_server.url, PENSTOCK_URL=str(client.http.base_url))

    assert (code, failed(found)) == (1, ["schemas crowd"])
    said = found["schemas crowd"]["found"]
    assert f"-{late.pid}-" in said
    assert f"-{early.pid}-" not in said

    _, found = examined(broker_server.url)  # without the API there is still one too many
    assert failed(found) == ["schemas crowd"]


def test_a_lease_that_nobody_takes_back(broker_server: RedisServer, ledger: Ledger) -> None:
    id = submit(ledger)
    claim(ledger, id)
    expire_lease(ledger, id)

    code, found = examined(broker_server.url)

    assert (code, failed(found)) == (1, ["leases"])


def test_a_frozen_server(broker_server: RedisServer, client: Client) -> None:
    with broker_server.frozen():
        code, found = examined(broker_server.url, PENSTOCK_URL=str(client.http.base_url))

    assert (code, failed(found)) == (1, ["redis", "api"])
    assert "does not answer" in found["redis"]["found"]
    assert "503" in found["api"]["found"]


def test_a_server_that_is_gone(broker_server: RedisServer) -> None:
    broker_server.kill()

    code, found = examined(broker_server.url)

    assert (code, failed(found)) == (1, ["redis"])
    assert "does not answer" in found["redis"]["found"]


def test_an_api_that_is_named_and_gone(broker_server: RedisServer) -> None:
    code, found = examined(broker_server.url, PENSTOCK_URL="http://127.0.0.1:1")

    assert (code, failed(found)) == (1, ["api"])


def test_what_it_may_not_see_it_does_not_complain_about(broker_server: RedisServer) -> None:
    broker_server.client.execute_command(
        "ACL", "SETUSER", "blind", "on", "nopass", "~*", "&*", "+@all", "-info", "-config"
    )

    code, found = examined(broker_server.url.replace("unix://", "unix://blind:any@"))

    assert (code, failed(found)) == (0, [])
    for check in ("redis", "persistence", "memory", "messages"):
        assert "forbidden" in found[check]["found"]


def test_a_password_that_is_wrong_is_said_and_not_shown(broker_server: RedisServer) -> None:
    broker_server.client.execute_command("ACL", "SETUSER", "someone", "on", ">right", "~*", "&*", "+@all")

    code, found = examined(broker_server.url.replace("unix://", "unix://someone:wrong@"))

    assert (code, failed(found)) == (1, ["redis"])
    assert "wrong@" not in found["redis"]["found"]


def test_the_embedded_server_is_found_by_its_data_directory(broker_server: RedisServer) -> None:
    (broker_server.directory / "valkey.sock").symlink_to(broker_server.socket)

    done = doctor(PENSTOCK_DATA_DIR=str(broker_server.directory))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ok    redis        ")


def test_without_a_server_to_look_at_it_asks_for_one(tmp_path: Path) -> None:
    done = doctor(PENSTOCK_DATA_DIR=str(tmp_path))

    assert (done.returncode, done.stdout) == (2, "")
    assert "PENSTOCK_REDIS_URL" in done.stderr


def test_a_url_that_is_none_is_refused_without_its_password() -> None:
    done = doctor(PENSTOCK_REDIS_URL="redis://user:secret@host:port/0")

    assert (done.returncode, done.stdout) == (2, "")
    assert "PENSTOCK_REDIS_URL" in done.stderr
    assert "secret" not in done.stderr
