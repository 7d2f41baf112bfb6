"""How fast one owner may ask."""

import re
from collections.abc import Iterator

import httpx2
import pytest

from shared.keys import digest, new_key
from tests.integration.api.process import Api, run_api
from tests.integration.api.requests import HELLO, problem
from tests.redis_server import RedisServer
from tests.waiting import eventually

ANN, BEN = new_key(), new_key()


@pytest.fixture
def paced(server: RedisServer, models: str) -> Iterator[Api]:
    server.client.flushall()
    api = Api(
        PENSTOCK_REDIS_URL=server.url,
        PENSTOCK_MODELS=models,
        PENSTOCK_API_KEYS=f"ann:{digest(ANN)},ben:{digest(BEN)}",
        PENSTOCK_RATE_LIMIT="4/hour",
    )
    yield api
    assert api.close() == 0


def ask(api: Api, key: str, method: str = "GET", path: str = "/task", **more: object) -> httpx2.Response:
    return api.http.request(method, path, headers={"X-API-Key": key}, **more)  # type: ignore[arg-type]


def test_every_answer_tells_what_is_left_and_the_fifth_is_429(paced: Api) -> None:
    answers = [
        ask(paced, ANN),
        ask(paced, ANN, "POST", "/task/echo", json=HELLO),
        ask(paced, ANN, "GET", "/task/nope"),
        ask(paced, ANN, "POST", "/task/echo", json={}),
        ask(paced, ANN),
    ]

    assert [answer.status_code for answer in answers] == [200, 202, 422, 422, 429]
    for left, answer in zip((3, 2, 1, 0, 0), answers, strict=True):
        assert answer.headers["ratelimit-policy"] == '"requests";q=4;w=3600'
        found = re.fullmatch(r'"requests";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
        assert found is not None
        assert int(found[1]) == left
        assert 0 < int(found[2]) <= 3600
    problem(answers[-1], 429, "too-fast")
    assert 0 < int(answers[-1].headers["retry-after"]) <= 900


def test_others_are_not_held_up(paced: Api) -> None:
    while ask(paced, ANN).status_code == 200:
        pass

    assert ask(paced, BEN).status_code == 200
    for path in ("/livez", "/readyz", "/openapi.json", "/docs"):
        answer = paced.http.get(path)
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers


def test_who_has_no_key_is_not_counted(paced: Api, server: RedisServer) -> None:
    for key in ("", "wrong"):
        assert ask(paced, key).status_code == 401
    assert server.client.keys("penstock:rate:*") == []


def test_without_redis_it_is_503_as_ever(paced: Api, server: RedisServer) -> None:
    server.kill()
    try:
        problem(ask(paced, ANN), 503, "ledger-unavailable")
    finally:
        server.start()
    eventually(lambda: paced.http.get("/readyz").status_code == 200)


def test_the_openapi_document_tells_it(paced: Api, http: httpx2.Client) -> None:
    operation = paced.http.get("/openapi.json").json()["paths"]["/task/{task_id}"]["get"]
    assert "429" in operation["responses"]
    assert "RateLimit" in operation["responses"]["200"]["headers"]
    unpaced = http.get("/openapi.json").json()["paths"]["/task/{task_id}"]["get"]
    assert "429" not in unpaced["responses"]


@pytest.mark.parametrize("rate", ["many", "0/minute", "5", "5/fortnight", "-1/second"])
def test_a_rate_that_is_none_is_named(server: RedisServer, models: str, rate: str) -> None:
    process = run_api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models, PENSTOCK_RATE_LIMIT=rate)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "PENSTOCK_RATE_LIMIT" in log
