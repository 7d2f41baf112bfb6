"""A hundred submits with one key at once, to two APIs before one ledger: one task."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.integration.api.process import Api
from tests.integration.api.requests import HELLO, problem
from tests.redis_server import RedisServer

KEY = {"Idempotency-Key": "race"}
OTHER = {"text": "another"}


@pytest.fixture(scope="module")
def apis(server: RedisServer, models: str, api: Api) -> Iterator[tuple[Api, Api]]:
    second = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models)
    yield api, second
    assert second.close() == 0
    assert "Traceback" not in "".join(second.log)


def race(apis: tuple[Api, ...], inputs: list[Any]) -> list[httpx2.Response]:
    """Submit every input at once, to each API in its turn."""

    async def submit_all() -> list[httpx2.Response]:
        async with httpx2.AsyncClient(timeout=20, trust_env=False) as http:
            urls = [api.http.base_url.join("/task/echo") for api in apis]
            submits = (http.post(urls[n % len(urls)], json=input, headers=KEY) for n, input in enumerate(inputs))
            return await asyncio.gather(*submits)

    return asyncio.run(submit_all())


def the_task(server: RedisServer, answers: list[httpx2.Response]) -> str:
    """Return the only task that the answers speak of, which is the only one there is."""
    accepted = [answer for answer in answers if answer.status_code == 202]
    (id,) = {answer.json()["task_id"] for answer in accepted}
    assert sum("idempotency-replayed" in answer.headers for answer in accepted) == len(accepted) - 1
    assert server.client.keys("penstock:task:*") == [f"penstock:task:{id}".encode()]
    (message,) = [one for key in server.client.keys("penstock.echo*") for one in server.client.lrange(key, 0, -1)]
    assert str(id).encode() in message
    return str(id)


@pytest.mark.usefixtures("http")
@pytest.mark.parametrize("turned", [False, True], ids=["one-first", "other-first"])
def test_a_hundred_at_two_apis_make_one_task(apis: tuple[Api, Api], server: RedisServer, turned: bool) -> None:
    first, second = reversed(apis) if turned else apis

    answers = race((first, second), [HELLO] * 100)

    assert {answer.status_code for answer in answers} == {202}
    id = the_task(server, answers)
    for api in apis:
        assert api.http.get("/task").json()["tasks"][0]["task_id"] == id


@pytest.mark.usefixtures("http")
@pytest.mark.parametrize("turned", [False, True], ids=["one-first", "other-first"])
def test_among_two_requests_under_one_key_one_wins_everywhere(
    apis: tuple[Api, Api], server: RedisServer, turned: bool
) -> None:
    """Each API gets both; which of them wins is chance, and then it is the same at both."""
    inputs = [HELLO, HELLO, OTHER, OTHER] * 25
    inputs = inputs[::-1] if turned else inputs

    answers = race(apis, inputs)

    the_task(server, answers)
    winners = {input["text"] for input, answer in zip(inputs, answers, strict=True) if answer.status_code == 202}
    assert len(winners) == 1
    refused = [answer for input, answer in zip(inputs, answers, strict=True) if input["text"] not in winners]
    assert len(refused) == 50
    for answer in refused:
        problem(answer, 422, "key-reused")
