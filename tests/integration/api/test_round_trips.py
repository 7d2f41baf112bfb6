"""One request is one round trip to the ledger, and none hangs when the ledger is away."""

import socket
import threading
import time
from typing import Any
from uuid import uuid4

import httpx2

from tests.integration.api.requests import HELLO, problem, submit
from tests.redis_server import RedisServer
from tests.waiting import eventually


def test_one_request_is_one_command(http: httpx2.Client, server: RedisServer) -> None:
    task = submit(http)
    http.get(task["links"]["self"])
    http.get("/models")
    requests = {
        "submit": lambda: http.post("/task/echo", json=HELLO),
        "read": lambda: http.get(task["links"]["self"]),
        "models": lambda: http.get("/models"),
        "livez": lambda: http.get("/livez"),
    }
    assert {name: commands(server, request) for name, request in requests.items()} == {
        "submit": ["EVALSHA"],
        "read": ["EVALSHA"],
        "models": ["EVALSHA"],
        "livez": [],
    }


def test_an_answer_comes_in_one_piece(http: httpx2.Client) -> None:
    path = submit(http)["links"]["self"]
    with socket.create_connection((http.base_url.host, http.base_url.port), timeout=10) as connection:
        for _ in range(200):
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
            head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
            assert b"\r\ncontent-length: %d\r\n" % len(body) in head + b"\r\n"


def test_a_frozen_server_is_503_soon_and_service_resumes(http: httpx2.Client, server: RedisServer) -> None:
    task = submit(http)
    with server.frozen():
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
    eventually(lambda: http.get("/readyz").is_success)
    assert http.get(task["links"]["self"]).json()["status"] == "queued"
    submit(http)


def test_many_requests_at_once_are_503_too_and_none_hangs(http: httpx2.Client, server: RedisServer) -> None:
    path, seconds = f"/task/{uuid4()}", []

    def ask() -> None:
        with httpx2.Client(base_url=http.base_url, timeout=10, trust_env=False) as other:
            before = time.monotonic()
            assert other.get(path).status_code == 503
            seconds.append(time.monotonic() - before)

    with server.frozen():
        threads = [threading.Thread(target=ask) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(seconds) == len(threads)
    assert max(seconds) < 5  # its client is a hundred threads on as few cores as there are
    eventually(lambda: http.get("/readyz").is_success)
    problem(http.get(path), 404, "unknown-task")


def test_a_server_that_was_killed_and_started_again_is_used_again(http: httpx2.Client, server: RedisServer) -> None:
    submit(http)
    server.kill()
    problem(http.get("/readyz"), 503, "ledger-unavailable")
    assert http.get("/livez").status_code == 200
    server.start()
    eventually(lambda: http.get("/readyz").is_success)
    assert submit(http)["queue"]["position"] == 2  # the first is still there


def commands(server: RedisServer, request: Any) -> list[str]:
    """What `request` sends to the server; a script's own commands are not sent."""
    marker, sent = uuid4().hex, []
    with server.client.monitor() as monitor:
        server.client.ping()
        request()
        server.client.echo(marker)
        for line in monitor.listen():
            if marker in line["command"]:
                return sent
            if line["client_type"] != "lua" and line["command"].split()[0] not in {"PING", "HELLO", "CLIENT"}:
                sent.append(line["command"].split()[0])
    raise AssertionError
