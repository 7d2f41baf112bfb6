"""The benchmark runs: its loop against a server that is rude, and all of it against Penstock. No timing is asserted."""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bench.loop import LoopError, Steps, run
from bench.report import TITLES
from bench.wire import get
from tests.integration.nodes import ROOT

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def serve(listener: socket.socket, answers: list[bytes]) -> None:
    """Answer each request of one client with these bytes, in as many pieces; then hang up."""
    connection, _ = listener.accept()
    with connection:
        for each in answers:
            connection.recv(65536)
            for piece in (each[:20], each[20:]):
                connection.sendall(piece)


@pytest.fixture
def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def asked(times: int, found: list[bytes]) -> Steps:
    for _ in range(times):
        yield 0.001
        answer = yield get("/")
        assert answer is not None
        found.append(answer.body)


def test_the_loop_asks_and_sleeps_until_all_is_done(listener: socket.socket) -> None:
    found: list[bytes] = []
    with listener:
        server = threading.Thread(target=serve, args=(listener, [ANSWER] * 3))
        server.start()
        run(listener.getsockname()[1], [asked(3, found)])
        server.join(5)
    assert found == [b"ok"] * 3


def test_the_loop_fails_if_the_server_hangs_up(listener: socket.socket) -> None:
    with listener:
        server = threading.Thread(target=serve, args=(listener, [ANSWER]))
        server.start()
        with pytest.raises(LoopError, match="hung up"):
            run(listener.getsockname()[1], [asked(2, [])])
        server.join(5)


@pytest.mark.parametrize(
    ("module", "tables"),
    [
        ("scripts", ["CPU of the server for each step"]),
        ("payloads", ["one task of 1 MB", "small requests while payloads of 1 MB", "the large ones meanwhile"]),
    ],
)
def test_what_looks_at_single_parts(module: str, tables: list[str], tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    command = [sys.executable, "-m", f"bench.{module}", "--quick", "--json", str(written)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(written.read_text())["tables"]
    assert [each["title"].startswith(title) for each, title in zip(found, tables, strict=True)] == [True] * len(tables)
    assert all(f"**{each['title']}**" in done.stdout for each in found)


def test_the_whole_of_it_on_penstock(tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    command = ["-m", "bench", "--quick", "--scale", "0.1", "--only", "penstock,fastapi-redis", "--json", str(written)]
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| **Penstock** |" in done.stdout
    rows = json.loads(written.read_text())["rows"]
    assert {row["measure"] for row in rows if row["contender"] == "penstock"} == set(TITLES) - {"pss"}
    assert all(row["median"] > 0 for row in rows)
