"""Histories of runs, for the tests of the invariants: a good one, to be spoiled by who tests one of them."""

from typing import Any

from tests.faults.invariants import violations
from tests.faults.observations import (
    MODELS,
    TOGETHER,
    Answer,
    Asked,
    Capacity,
    Document,
    Execution,
    Hand,
    History,
    Setup,
    Task,
)
from tests.faults.workload import answer

ID = "11111111-1111-4111-8111-111111111111"
SETUP = Setup()
WHOLE = Capacity(
    children={"worker-0": 3, "worker-1": 3},
    at_work=dict.fromkeys(MODELS, 6),
    ready={model: {"workers": 2, "slots": 6} for model in MODELS},
    queue={model: {"queued": 0, "running": 0} for model in MODELS},
)
OTHER = "22222222-2222-4222-8222-222222222222"


def document(status: str, attempt: int = 1, code: str = "", result: Any = None) -> Document:
    error = {"code": code, "message": "Because."} if code else None
    return {"task_id": ID, "status": status, "attempt": attempt, "result": result, "error": error}


def succeeded(token: str = "a", attempt: int = 1) -> Document:
    return document("succeeded", attempt, result={"token": token, "answer": answer(token)})


def history(*documents: Document, asked: Asked | None = None, ended: Document | None = None) -> History:
    """A run of one task, accepted at 100 and seen every 0.5 s from then on; nothing was done to it."""
    task = Task(asked or Asked("a", seconds=1.0), ID, accepted=100.0)
    for n, seen in enumerate([document("queued", 0), *documents]):
        task.see(100.0 + n / 2, seen)
    task.at_the_end = ended or task.sightings[-1].document
    return History(setup=SETUP, tasks=[task], capacity=WHOLE, over=110.0, **ran([task], 11, at=100.1))


def ran(tasks: list[Task], pid: int, at: float, *, attempt: int = 1) -> dict[str, list[Any]]:
    """The executions and the hands of a child that computed these tasks together."""
    together = tuple(task.asked.token for task in tasks)
    runs = [Execution(token, pid, pid - pid % 10, at, together) for token in together]
    return {"executions": runs, "hands": [Hand(tuple((task.id, attempt) for task in tasks), pid, at)]}


def run_again(found: History, tasks: list[Task], pid: int, at: float, *, attempt: int) -> None:
    more = ran(tasks, pid, at, attempt=attempt)
    found.executions += more["executions"]
    found.hands += more["hands"]


def batch(other: str = "succeed", *documents: Document, attempts: int = 2, ended: str = "succeeded") -> History:
    """A task that was in a batch with another, which behaves as said and `ended` so; then the task runs alone."""
    found = history(document("running"), *documents, succeeded(attempt=attempts), asked=Asked("a", 1.0, model=TOGETHER))
    code = {"die": "worker_lost", "spin": "timeout", "raise": "model_error"}.get(other, "")
    outcome = document("failed" if code else ended, {"die": 6, "spin": 2}.get(other, 1), code)
    if other == "succeed" and ended == "succeeded":
        outcome = succeeded("b")
    neighbour = Task(Asked("b", 0.5, behave=other, model=TOGETHER), OTHER, accepted=100.0)
    neighbour.see(100.0, {**document("queued", 0), "task_id": OTHER})
    neighbour.see(101.5, {**outcome, "task_id": OTHER})
    neighbour.at_the_end = neighbour.sightings[-1].document
    neighbour.cancels = [200] if ended == "canceled" else []
    found.answers = [Answer("api-0", "cancel", "b", 100.4, 0.01, 200)] if ended == "canceled" else []
    found.tasks.append(neighbour)
    found.executions, found.hands = (ran(found.tasks, 11, 100.1)[name] for name in ("executions", "hands"))
    if attempts > 1:
        run_again(found, found.tasks[:1], 12, 101.2, attempt=2)
    return found


def good() -> History:
    return history(document("running"), succeeded())


def kinds(found: History) -> set[str]:
    return {violation.kind for violation in violations(found)}
