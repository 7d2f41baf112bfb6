"""What a submit may ask for, and what is refused rather than queued."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.records import Admission, Submission
from tests.contract.steps import claim
from tests.integration.api.process import Api
from tests.integration.api.requests import HELLO, problem, submit
from tests.redis_server import RedisServer
from tests.waiting import eventually


@pytest.fixture(scope="module")
def strict(server: RedisServer, models: str) -> Iterator[Api]:
    """An API that lets little in."""
    api = Api(
        PENSTOCK_REDIS_URL=server.url,
        PENSTOCK_MODELS=models,
        PENSTOCK_MAX_QUEUED="3",
        PENSTOCK_MAX_QUEUED_PER_OWNER="2",
        PENSTOCK_RETENTION_SECONDS="1",
    )
    yield api
    assert api.close() == 0


def post(http: httpx2.Client, query: str) -> httpx2.Response:
    return http.post(f"/task/echo?{query}", json=HELLO)


def test_a_time_limit_reaches_the_worker(http: httpx2.Client, ledger: Ledger) -> None:
    id = post(http, "time_limit=2.5").json()["task_id"]

    assert claim(ledger, id).time_limit_ms == 2500


def test_a_task_that_waited_too_long_has_failed_without_a_run(http: httpx2.Client) -> None:
    answer = post(http, "expires_in=0.05")
    assert answer.json()["status"] == "queued"

    now: dict[str, Any] = eventually(
        lambda: (found := http.get(answer.headers["location"]).json())["status"] == "failed" and found
    )

    assert (now["error"]["code"], now["attempt"], now["queue"]) == ("expired", 0, None)
    assert now["finished_at"] is not None
    assert http.get("/models/echo").json()["queue"]["queued"] == 0
    problem(http.post(f"/task/{now['task_id']}/cancel"), 409, "task-finished")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("time_limit=0", "time_limit"),
        ("time_limit=-1", "time_limit"),
        ("time_limit=601", "time_limit"),  # above the model's own
        ("time_limit=nan", "time_limit"),
        ("time_limit=", "time_limit"),
        ("time_limit=1&time_limit=2", "time_limit"),
        ("expires_in=inf", "expires_in"),
        ("expires_in=soon", "expires_in"),
        ("expires_in=1e9", "expires_in"),
        ("expire_in=1", "expire_in"),
    ],
)
def test_a_wrong_option_is_named(http: httpx2.Client, query: str, name: str) -> None:
    found = problem(post(http, query), 422, "invalid-input")

    assert found.errors is not None
    assert [error.loc for error in found.errors] == [["query", name]]
    assert http.get("/models/echo").json()["queue"]["queued"] == 0


def test_an_owner_has_a_share_and_a_queue_has_an_end(strict: Api, server: RedisServer, ledger: Ledger) -> None:
    server.client.flushall()
    ids = [submit(strict.http)["task_id"] for _ in range(2)]

    answer = strict.http.post("/task/echo", json=HELLO)

    problem(answer, 429, "owner-full")
    assert answer.headers["retry-after"] == "5"  # nothing has been claimed yet
    for n in range(3):  # what another owner has queued
        ledger.run(
            calls.submit(
                Submission(f"00000000-0000-4000-8000-{n:012d}", "echo", b"{}", owner="other"),
                Admission(10, None),
                1000,
            )
        )
    claim(ledger, ids[0])
    answer = strict.http.post("/task/echo", json=HELLO)
    problem(answer, 503, "queue-full")
    assert answer.headers["retry-after"] == "1"


def test_a_task_whose_retention_has_ended_is_410_for_a_while(strict: Api, server: RedisServer, ledger: Ledger) -> None:
    server.client.flushall()
    task = submit(strict.http)
    strict.http.post(task["links"]["cancel"])

    gone = eventually(
        lambda: (answer := strict.http.get(task["links"]["self"])).status_code != 200 and answer, within=5
    )

    problem(gone, 410, "task-gone")
    problem(strict.http.post(task["links"]["cancel"]), 410, "task-gone")
    unknown = eventually(lambda: (answer := strict.http.get(task["links"]["self"])).status_code == 404 and answer)
    problem(unknown, 404, "unknown-task")
