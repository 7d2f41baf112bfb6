"""Tasks in a dict, run by the process that accepted them after it has answered."""

from typing import Any
from uuid import uuid4

from fastapi import BackgroundTasks, FastAPI

from bench.work import WORKS, Work

app = FastAPI()
tasks: dict[str, dict[str, Any]] = {}


def compute(id: str, work: Work, input: dict[str, Any]) -> None:
    """Do the work, and note its result."""
    tasks[id] = {"status": "done", "result": work.run(input)}


def add(name: str, work: Work) -> None:
    """Add the submit of one kind of work."""
    model = work.input  # a value that is used as a type below: FastAPI reads it, mypy cannot

    @app.post(f"/task/{name}", status_code=202)
    async def accept(input: model, later: BackgroundTasks) -> dict[str, Any]:  # type: ignore[valid-type]
        id = str(uuid4())
        tasks[id] = {"status": "pending", "result": None}
        later.add_task(compute, id, work, input.model_dump(mode="json"))  # type: ignore[attr-defined]
        return {"task_id": id}


for each in WORKS:
    add(each, WORKS[each])


@app.get("/task/{task_id}")
async def look(task_id: str) -> dict[str, Any]:
    """Answer with what the dict has."""
    return {"task_id": task_id, **tasks[task_id]}
