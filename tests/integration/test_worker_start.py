"""A worker from its start: what it serves, when it is seen, and what keeps it from starting."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.client import Client
from tests.integration.conftest import LEASE_SECONDS
from tests.integration.nodes import WorkerProcess
from tests.waiting import eventually

AddWorker = Callable[..., WorkerProcess]


def test_the_worker_is_seen_only_when_it_has_loaded(add_worker: AddWorker, client: Client) -> None:
    def workers() -> int:
        return int(client.http.get("/readyz").json()["models"]["wait"]["workers"])

    assert workers() == 0
    task = client.submit("wait", wait_time=1)
    assert task["queue"]["reason"] == "no_workers"

    first = add_worker()

    eventually(lambda: workers() == 1, within=20)
    assert client.http.get("/models/wait").json()["slots"] == 2
    assert client.finished(task["task_id"])["status"] == "succeeded"
    first.signal_tree(signal.SIGKILL)
    eventually(lambda: workers() == 0, within=LEASE_SECONDS + 5)


def test_a_worker_may_serve_some_of_the_models(add_worker: AddWorker, client: Client) -> None:
    add_worker("--models", "echo", "--concurrency", "1").ready()

    assert client.finished(client.submit("echo", text="a")["task_id"])["status"] == "succeeded"
    assert client.submit("wait", wait_time=1)["queue"]["reason"] == "no_workers"
    served = {model["name"]: model["slots"] for model in client.http.get("/models").json()["models"]}
    assert served == {"wait": 0, "echo": 1, "faulty": 0}


@pytest.mark.parametrize(
    ("load_in", "loading", "said"),
    [
        ("parent", "raise OSError('no weights here')", (78, "OSError: no weights here")),
        ("child", "raise OSError('no weights here')", (78, "OSError: no weights here")),
        ("child", "import os; os._exit(1)", (1, "a child died while it loaded its models")),  # another time it may fit
    ],
)
def test_a_model_that_does_not_load_stops_the_worker_with_the_reason(
    add_worker: AddWorker, tmp_path: Path, load_in: str, loading: str, said: tuple[int, str]
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "schema.py").write_text(
        "from pydantic import BaseModel\n"
        f"LOAD_IN = {load_in!r}\n"
        "class Input(BaseModel): pass\n"
        "class Output(BaseModel): pass\n"
    )
    (folder / "model.py").write_text(
        f"class Model:\n    def __init__(self): {loading}\n    def predict(self, input): ...\n"
    )

    worker = add_worker(PENSTOCK_MODELS=str(folder))

    code, reason = said
    assert worker.wait() == code
    assert reason in worker.logs()
    assert "Traceback" not in worker.logs()


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("PENSTOCK_REDIS_URL", "", 2),
        ("PENSTOCK_REDIS_URL", "http://localhost", 2),
        ("PENSTOCK_REDIS_URL", "redis://user:secret@127.0.0.1:1/0", 1),
        ("PENSTOCK_MODELS", "/nowhere/at_all", 2),
        ("PENSTOCK_CONCURRENCY", "0", 2),
        ("PENSTOCK_LEASE_SECONDS", "soon", 2),
    ],
)
def test_a_wrong_setting_stops_the_worker_with_one_line(
    add_worker: AddWorker, setting: str, value: str, code: int
) -> None:
    worker = add_worker(**{setting: value})

    assert worker.wait() == code
    log = worker.logs()
    assert len(log.splitlines()) == 1, log
    assert setting in log or "/nowhere/at_all" in log
    assert "secret" not in log
