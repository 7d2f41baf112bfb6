"""GET /metrics from outside: whatever process answers, with Redis and without."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.keys import digest, new_key
from shared.ledger.connection import Ledger
from tests.integration.api.process import Api
from tests.integration.api.requests import problem, submit, succeed
from tests.redis_server import RedisServer

Labels = tuple[str, ...]
PROCESSES = 3


def scrape(http: httpx2.Client) -> dict[str, dict[Labels, float]]:
    answer = http.get("/metrics")
    assert answer.status_code == 200, answer.text
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


def test_what_happens_is_counted(http: httpx2.Client, ledger: Ledger) -> None:
    before = scrape(http)
    first, _ = submit(http), submit(http)
    succeed(ledger, first["task_id"], b"1")
    problem(http.post("/task/echo", json={"text": 1}), 422, "invalid-input")
    after = scrape(http)

    assert after["penstock_tasks_submitted_total"]["echo",] == 2
    assert after["penstock_tasks_queued"]["echo",] == 1
    finished = {labels: number for labels, number in after["penstock_tasks_finished_total"].items() if number}
    assert finished == {("", "echo", "succeeded"): 1}
    assert after["penstock_task_seconds_count"]["echo",] == 1
    rejected = "penstock_tasks_rejected_total"
    assert after[rejected]["echo", "invalid-input"] == before.get(rejected, {}).get(("echo", "invalid-input"), 0) + 1
    assert after["penstock_http_requests_total"]["POST", "/task/{model}", "202"] >= 2
    assert after["penstock_ledger_up"] == {(): 1}


def test_prometheus_and_openmetrics_are_both_spoken(http: httpx2.Client) -> None:
    plain = http.get("/metrics")
    asked = http.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert plain.headers["content-type"].startswith("text/plain")
    assert asked.headers["content-type"].startswith("application/openmetrics-text")
    assert asked.text.endswith("# EOF\n")
    assert plain.headers["cache-control"] == "no-store"


def test_without_redis_it_tells_what_it_knows(api: Api, server: RedisServer) -> None:
    with server.frozen():
        for _ in range(2):
            api.http.get("/readyz")
        found = scrape(api.http)

    assert found["penstock_ledger_up"] == {(): 0}
    assert "penstock_tasks_queued" not in found
    assert found["penstock_ledger_errors_total"]["unreachable",] >= 1
    assert found["penstock_http_requests_total"]["GET", "/readyz", "503"] >= 2


def test_it_is_behind_the_door(server: RedisServer, models: str) -> None:
    key = new_key()
    api = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models, PENSTOCK_API_KEYS=f"prometheus:{digest(key)}")
    problem(api.http.get("/metrics"), 401, "unauthorized")
    assert api.http.get("/metrics", headers={"Authorization": f"Bearer {key}"}).is_success
    assert api.close() == 0


@pytest.fixture
def several(server: RedisServer, models: str) -> Iterator[Api]:
    server.client.flushall()
    api = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models, PENSTOCK_API_PROCESSES=str(PROCESSES))
    yield api
    assert api.close() == 0
    assert "Traceback" not in "".join(api.log)


def test_whichever_process_answers_tells_of_all(several: Api) -> None:
    """A connection stays with its process: each of these asks another one, or the same again."""

    def ask(_: int) -> dict[str, dict[Labels, float]]:
        with httpx2.Client(base_url=several.http.base_url, timeout=10, trust_env=False) as mine:
            assert mine.get(f"/task/{uuid4()}").status_code == 404
            submit(mine)
            return scrape(mine)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(ask, range(40)))
        found = list(threads.map(lambda _: scrape(several.http), range(1))) + [ask(n) for n in range(10)]

    assert [each["penstock_tasks_submitted_total"]["echo",] for each in found] == [40, *range(41, 51)]
    missed = [each["penstock_http_requests_total"]["GET", "/task/{task_id}", "404"] for each in found]
    assert missed == [40, *range(41, 51)]
