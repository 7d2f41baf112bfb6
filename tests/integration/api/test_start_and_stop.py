"""The process itself: what keeps it from starting, in one line, and how it ends."""

import resource
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.api.process import START_SECONDS, Api, run_api
from tests.redis_server import RedisServer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_success(server: RedisServer, models: str, number: int) -> None:
    api = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models, PENSTOCK_NO_SUCH="1")
    assert api.http.get("/livez").status_code == 200
    assert api.close(number) == 0
    assert "Traceback" not in "".join(api.log)
    assert "PENSTOCK_NO_SUCH" in "".join(api.log)


def test_a_signal_while_it_waits_for_the_server_does_too(folder: Path, models: str) -> None:
    process = run_api(PENSTOCK_REDIS_URL=f"unix://{folder}/nobody", PENSTOCK_MODELS=models, PENSTOCK_NO_SUCH="1")
    assert process.stderr is not None
    assert "PENSTOCK_NO_SUCH" in process.stderr.readline()
    process.terminate()
    assert process.wait(START_SECONDS) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_it_may_have_as_many_connections_as_the_system_lets_it(server: RedisServer, models: str) -> None:
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, most), most))
    try:
        api = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (usual, most))
    with ExitStack() as connections:
        for _ in range(min(400, most // 2)):
            connections.enter_context(socket.create_connection((api.http.base_url.host, api.http.base_url.port)))
        assert api.http.get("/livez").status_code == 200
    assert api.close() == 0


def test_a_port_in_use_is_one_line(server: RedisServer, models: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(1, ["PENSTOCK_API_PORT", port], "--port", port, PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models)


def test_a_server_that_does_not_answer_is_one_line_without_its_password(models: str) -> None:
    line = refused(
        1,
        ["PENSTOCK_REDIS_URL", "127.0.0.1:1/0"],
        PENSTOCK_REDIS_URL="redis://me:sesame@127.0.0.1:1/0",
        PENSTOCK_MODELS=models,
    )
    assert "sesame" not in line


def test_a_server_that_evicts_is_refused(models: str) -> None:
    evicting = RedisServer("", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    try:
        refused(1, ["PENSTOCK_REDIS_URL", "allkeys-lru"], PENSTOCK_REDIS_URL=evicting.url, PENSTOCK_MODELS=models)
    finally:
        evicting.close()


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
def test_a_wrong_setting_is_one_line(variables: dict[str, str], words: list[str]) -> None:
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
