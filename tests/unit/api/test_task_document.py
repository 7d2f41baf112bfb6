import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.document import TaskDocument, instant, render
from shared.task import FINAL, ErrorCode, Outlook, Progress, QueueView, Status, Task, TaskError
from tests.unit.api.examples import EVERY, FAILED, ID, QUEUED, RUNNING, SUCCEEDED

FIELDS = [
    "task_id",
    "model",
    "status",
    "created_at",
    "started_at",
    "finished_at",
    "expires_at",
    "attempt",
    "batch_size",
    "progress",
    "queue",
    "result",
    "error",
    "callback",
    "links",
]
LATEST_MS = 253_402_300_799_999  # the end of the year 9999


@pytest.mark.parametrize("task", EVERY, ids=lambda task: task.status)
def test_every_status_renders_to_a_document(task: Task) -> None:
    text = render(task)
    document = TaskDocument.model_validate_json(text)
    assert list(json.loads(text)) == FIELDS
    assert document.status is task.status
    assert (document.links.cancel is None) == task.is_final
    assert (document.queue is not None) == (task.status is Status.QUEUED)


def test_a_queued_task_tells_its_place() -> None:
    assert json.loads(render(QUEUED)) == {
        "task_id": ID,
        "model": "echo",
        "status": "queued",
        "created_at": "2023-11-14T22:13:20.123Z",
        "started_at": None,
        "finished_at": None,
        "expires_at": None,
        "attempt": 0,
        "batch_size": None,
        "progress": None,
        "queue": {"position": 1, "eta_seconds": 1.0, "reason": "waiting"},
        "result": None,
        "error": None,
        "callback": None,
        "links": {"self": f"/task/{ID}", "events": f"/task/{ID}/events", "cancel": f"/task/{ID}/cancel"},
    }


def test_the_result_goes_through_byte_for_byte() -> None:
    assert SUCCEEDED.result is not None
    assert b'"result":' + SUCCEEDED.result + b',"error":null' in render(SUCCEEDED)


def test_progress_and_error_are_told() -> None:
    assert json.loads(render(RUNNING))["progress"] == {"fraction": 0.5, "message": "half"}
    assert json.loads(render(FAILED))["error"] == {
        "code": "model_error",
        "message": "The model raised ValueError.",
    }


@pytest.mark.parametrize("fraction", [float("nan"), float("inf")])
def test_a_progress_without_a_number_is_still_json(fraction: float) -> None:
    text = render(replace(RUNNING, progress=Progress(fraction, None)))
    assert json.loads(text)["progress"] == {"fraction": None, "message": None}


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, None),
        (0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000_001, "2023-11-14T22:13:20.001Z"),
        (LATEST_MS, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_an_instant_is_rfc_3339_to_the_millisecond(ms: int | None, text: str | None) -> None:
    assert instant(ms) == text


instants = st.integers(min_value=0, max_value=LATEST_MS)
maybe = st.none() | instants
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
views = st.builds(
    QueueView,
    position=st.integers(1, 10**6),
    outlook=st.builds(
        Outlook,
        slots=st.integers(0, 1000),
        workers=st.integers(0, 1000),
        run_ms=st.lists(instants, max_size=3).map(tuple),
        elapsed_ms=st.lists(instants, max_size=3).map(tuple),
        others=st.integers(0, 1000),
    ),
)


@st.composite
def tasks(draw: st.DrawFn) -> Task:
    status = draw(st.sampled_from(Status))
    result = draw(st.none() | st.integers() | st.lists(texts, max_size=3)) if status is Status.SUCCEEDED else None
    return Task(
        id=str(draw(st.uuids())),
        model=draw(st.sampled_from(["echo", "my_model_2"])),
        status=status,
        created_ms=draw(instants),
        started_ms=draw(maybe),
        finished_ms=draw(maybe),
        expires_ms=draw(maybe),
        attempt=draw(st.integers(0, 10**6)),
        lost=draw(st.integers(0, 10)),
        progress=draw(st.none() | st.builds(Progress, st.none() | st.floats(0, 1), st.none() | texts)),
        result=None if status is not Status.SUCCEEDED else json.dumps(result).encode(),
        error=draw(st.builds(TaskError, st.sampled_from(ErrorCode), texts)) if status is Status.FAILED else None,
        queue=draw(views) if status is Status.QUEUED else None,
        batch=draw(st.none() | st.integers(1, 1000)),
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tasks())
def test_any_task_renders_to_a_document(task: Task) -> None:
    document = TaskDocument.model_validate_json(render(task))
    assert (document.task_id, document.status) == (task.id, task.status)
    assert document.result == (None if task.result is None else json.loads(task.result))
    assert document.error is None or (document.error.message == task.error.message if task.error else False)
    assert (document.links.cancel is None) == (task.status in FINAL)
    assert document.created_at == datetime.fromisoformat(instant(task.created_ms) or "").astimezone(UTC)
