"""What the invariants yield, and how they look at tasks. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.observations import Document, History, Sighting, Task


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not happen. `kind` is a column of the report."""

    kind: str  # lost, stuck, changed, wrong, doubled, slow, hung, ended, slots
    sentence: str
    task: Task | None = None


Violations = Iterator[Violation]


def tasks_by_id(history: History) -> dict[str, Task]:
    return {task.id: task for task in history.tasks}


def finals(history: History) -> Iterator[tuple[Task, Sighting]]:
    """Yield every task that became final, with the document that said so first."""
    return ((task, task.final) for task in history.tasks if task.final is not None)


def ended_as(document: Document) -> tuple[str, str]:
    """Return the status of a task, and the code of its error; an empty one if there is none."""
    return document["status"], (document["error"] or {}).get("code", "")
