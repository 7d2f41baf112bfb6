"""Reading what the system wrote: the execution log of the model, the workers' logs, and who died at a crash point."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.faults.observations import Execution, Finish, Hand, History, Loss, Overrun
from worker.dooms import Cause

LOST_OUTCOMES = ("queued", "failed")  # of a reaping: the attempt was lost; a message sent again is none
NEVER = ("the lease keeper failed", "the worker cannot go on", "a model failed to load", "Unrecoverable error")


def executions(log: Path) -> list[Execution]:
    return [Execution(**{**line, "together": tuple(line["together"])}) for line in _objects(log.read_bytes())]


def hands(log: Path) -> list[Hand]:
    lines = _objects(log.read_bytes()) if log.exists() else ()
    return [Hand(tuple((id, token) for id, token in line["claims"]), line["pid"], line["at"]) for line in lines]


def deaths(log: Path) -> list[dict[str, Any]]:
    """Return who died at a crash point: point, pid, subjects, at."""
    return list(_objects(log.read_bytes())) if log.exists() else []


def take_in(history: History, logs: Iterable[Path]) -> None:
    """Add what the workers' logs say to the history."""
    for log in sorted(logs):
        for line in _objects(log.read_bytes()):
            _take(history, log.name, line)


def about(id: str, logs: Iterable[Path]) -> list[str]:
    """Return the log lines that name a task."""
    return [f"{log.name}: {line}" for log in sorted(logs) for line in log.read_text().splitlines() if id in line]


def _take(history: History, name: str, line: dict[str, Any]) -> None:
    event = str(line.get("event"))
    if event == "finished":
        history.finishes.append(Finish(line["task_id"], line["attempt"], line["outcome"], line["accepted"]))
    elif event == "child died" or (event == "reaped" and line["outcome"] in LOST_OUTCOMES):
        history.losses.append(Loss(line["task_id"], line.get("pid", 0)))
    elif event == "killed the child" and line["why"] == Cause.OVERDUE.value:
        history.overruns.append(Overrun(line["pid"], line["task_id"]))
    elif event.startswith(NEVER):
        history.complaints.append(f"{name}: {line}")


def _objects(text: bytes) -> Iterator[dict[str, Any]]:
    """Yield the JSON object of each line; what was cut off by a death, or is none of ours, is left out."""
    for line in text.splitlines():
        if line.startswith(b"{"):
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue
