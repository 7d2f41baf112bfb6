"""One request, one trace: from the client's span through the API's to that of each attempt."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from shared.ledger.connection import Ledger
from tests.integration.client import Client
from tests.integration.conftest import free_port
from tests.integration.crowd import ended, queue
from tests.integration.nodes import ROOT, WorkerProcess
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.integration.collector import Collector

pytest.importorskip("opentelemetry.sdk", reason="the extra `trace` is not installed")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra `trace` is not installed")

AddWorker = Callable[..., WorkerProcess]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
AT_ONCE = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
NEVER = {"OTEL_BSP_SCHEDULE_DELAY": "600000"}


@pytest.fixture
def collector() -> Iterator["Collector"]:
    from tests.integration.collector import Collector  # noqa: PLC0415 (needs the extra)

    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture
def environment(environment: dict[str, str], collector: "Collector") -> dict[str, str]:
    folders = ",".join(str(ROOT / folder) for folder in ("tests/models/chatty", "tests/models/crowd"))
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **AT_ONCE}
    return {**environment, **traced, "PENSTOCK_MODELS": folders}


def submit(client: Client, traceparent: str = TRACEPARENT, query: str = "", **input: Any) -> str:
    body = {"text": "confidential", "how": "wait", **input}
    answer = client.http.post(f"/task/chatty{query}", json=body, headers={"traceparent": traceparent})
    assert answer.status_code == 202, answer.text
    id: str = answer.json()["task_id"]
    return id


def test_a_clients_trace_leads_to_the_prediction(add_worker: AddWorker, client: Client, collector: "Collector") -> None:
    add_worker().ready()
    id = submit(client, query="?priority=2")
    client.finished(id)

    (attempt,) = eventually(lambda: collector.of(id))
    (request,) = eventually(lambda: collector.named("POST /task/{name}"))

    assert (request.trace, request.parent, request.kind) == (TRACE, SPAN, "SERVER")
    assert (attempt.trace, attempt.parent, attempt.kind) == (TRACE, request.id, "CONSUMER")
    assert (request.service, attempt.service) == ("penstock-api", "penstock-worker")
    assert attempt.name == "process chatty"
    assert not attempt.failed
    assert (
        attempt.attributes.items()
        >= {
            "messaging.system": "penstock",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": "penstock.chatty",
            "messaging.message.id": id,
            "penstock.task_id": id,
            "penstock.model": "chatty",
            "penstock.attempt": 1,
        }.items()
    )
    assert request.attributes["url.query"] == "REDACTED"
    assert "confidential" not in repr(collector.spans)
    eventually(lambda: collector.named("GET /task/{name}"))
    assert not [span for span in collector.spans if span.attributes.get("url.path") == "/livez"]


@pytest.mark.parametrize("given", ["nonsense", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01"])
def test_what_is_no_traceparent_begins_a_trace(
    add_worker: AddWorker, client: Client, collector: "Collector", given: str
) -> None:
    add_worker().ready()
    id = submit(client, given)
    client.finished(id)

    (attempt,) = eventually(lambda: collector.of(id))
    (request,) = eventually(lambda: collector.named("POST /task/{name}"))

    assert request.parent == ""
    assert (attempt.trace, attempt.parent) == (request.trace, request.id)


def test_what_a_client_does_not_sample_is_not_sampled(
    add_worker: AddWorker, client: Client, collector: "Collector"
) -> None:
    add_worker().ready()
    unsampled, sampled = submit(client, TRACEPARENT[:-1] + "0"), submit(client)
    for id in (unsampled, sampled):
        client.finished(id)

    eventually(lambda: collector.of(sampled))

    assert not collector.of(unsampled)


def test_each_attempt_is_a_span_and_a_failure_says_its_code(
    add_worker: AddWorker, client: Client, collector: "Collector"
) -> None:
    add_worker().ready()
    id = submit(client, how="nest")
    client.finished(id)
    again = client.http.post(f"/task/{id}/retry", headers={"traceparent": TRACEPARENT})
    assert again.status_code == 202
    eventually(lambda: client.get(id)["attempt"] == 2)
    client.finished(id)

    first, second = eventually(lambda: found if len(found := collector.of(id)) == 2 else [])
    (request,) = collector.named("POST /task/{name}")
    (retry,) = eventually(lambda: collector.named("POST /task/{name}/retry"))

    assert (first.parent, second.parent) == (request.id, retry.id)
    for attempt in (first, second):
        assert (attempt.failed, attempt.message, attempt.attributes["error.type"]) == (
            True,
            "model_error",
            "model_error",
        )
    assert "confidential" not in repr(collector.spans)


def test_a_task_that_is_taken_back_goes_on_in_its_trace(
    add_worker: AddWorker, client: Client, collector: "Collector"
) -> None:
    add_worker("--concurrency", "1").ready()
    id = submit(client, seconds=1)
    progress = eventually(lambda: client.get(id)["progress"])
    psutil.Process(int(progress["message"])).kill()
    client.finished(id)

    (attempt,) = eventually(lambda: collector.of(id))
    (request,) = eventually(lambda: collector.named("POST /task/{name}"))

    assert attempt.attributes["penstock.attempt"] == 2
    assert (attempt.trace, attempt.parent) == (TRACE, request.id)


def test_a_batch_is_one_span_with_a_link_to_each(
    add_worker: AddWorker, client: Client, collector: "Collector", ledger: Ledger
) -> None:
    ids = []
    for n in range(3):
        body = {"token": str(n), "behave": "raise" if n == 2 else "succeed"}
        ids.append(client.http.post("/task/crowd", json=body).json()["task_id"])
    worker = add_worker("--concurrency", "1")
    worker.ready()
    ended(ledger, ids)

    (together,) = eventually(lambda: [span for span in collector.named("process crowd") if span.links])
    alone = eventually(lambda: found if len(found := [*map(collector.of, ids)]) == 3 and all(found) else [])
    submits = eventually(lambda: found if len(found := collector.named("POST /task/{name}")) == 3 else [])
    requests = {span.id: span.trace for span in submits}

    assert set(together.links) == requests.keys()
    assert together.attributes["messaging.batch.message_count"] == 3
    assert together.attributes["penstock.task_ids"] == ids
    assert (together.parent, together.failed, together.message) == ("", True, "batch_failed")
    assert together.trace not in requests.values()
    assert [(requests[span.parent], span.failed) for (span,) in alone] == [
        (span.trace, n == 2) for n, (span,) in enumerate(alone)
    ]


def test_a_worker_that_stops_sends_its_last_spans(
    add_worker: AddWorker, client: Client, collector: "Collector"
) -> None:
    worker = add_worker("--concurrency", "1", **NEVER)
    worker.ready()
    id = submit(client)
    client.finished(id)

    worker.popen.terminate()

    assert worker.wait() == 0
    (attempt,) = collector.of(id)
    assert attempt.trace == TRACE


def test_a_collector_that_is_away_holds_nobody_up(
    add_worker: AddWorker, environment: dict[str, str], ledger: Ledger
) -> None:
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    worker = add_worker("--concurrency", "1", **away, **NEVER)
    worker.ready()
    ended(ledger, queue(ledger, "succeed"))

    worker.popen.terminate()

    assert worker.wait(within=8) == 0


def test_the_console_has_a_span_a_line(add_worker: AddWorker, client: Client) -> None:
    worker = add_worker("--concurrency", "1", OTEL_TRACES_EXPORTER="console")
    worker.ready()
    id = submit(client)
    client.finished(id)

    def spans() -> list[Any]:
        lines = [json.loads(line) for line in worker.logs().splitlines() if line.startswith('{"name"')]
        return [line for line in lines if line["attributes"].get("penstock.task_id") == id]

    (span,) = eventually(spans)
    assert span["context"]["trace_id"] == f"0x{TRACE}"
    assert '"stream"' not in json.dumps(span)


def test_the_log_names_the_trace(add_worker: AddWorker, client: Client) -> None:
    worker = add_worker("--concurrency", "1")
    worker.ready()
    id = submit(client)
    client.finished(id)

    (finished,) = eventually(lambda: [line for line in worker.events() if line.get("task_id") == id])
    assert finished["trace_id"] == TRACE


def test_what_cannot_be_had_is_said_and_the_work_goes_on(add_worker: AddWorker) -> None:
    worker = add_worker("--concurrency", "1", OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    worker.ready()

    (line,) = [line for line in worker.events() if line["event"] == "no traces"]
    assert line["reason"] == "OTEL_EXPORTER_OTLP_PROTOCOL: grpc is not spoken here; http/protobuf is"
