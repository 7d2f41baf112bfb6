"""The endpoints under /task: submit, read, cancel. One request is one step of the ledger."""

from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.document import render
from api.eta import retry_after
from api.ledger import BoundedLedger
from api.problems import TASK_FINISHED, UNKNOWN_TASK, Problem, invalid
from api.served import ServedModels
from api.submission import read_submission
from shared.ledger import calls
from shared.task import Status, Task

NO_STORE = {"Cache-Control": "no-store"}


class TaskEndpoints:
    """What answers under /task."""

    def __init__(self, ledger: BoundedLedger, served: ServedModels, retention_ms: int) -> None:
        self._ledger = ledger
        self._served = served
        self._retention_ms = retention_ms

    def routes(self) -> list[BaseRoute]:
        """Return the routes of these endpoints.

        What follows /task/ is a model's name when posting and a task's id when reading. That is one route with both
        methods, rather than one per model, so that a 405 names every method that is allowed there.
        """
        return [
            Route("/task/{name}", self.post_or_read, methods=["GET", "POST"]),
            Route("/task", self.submit_to_default, methods=["POST"]),
            Route("/task/{name}/cancel", self.cancel, methods=["POST"]),
        ]

    async def post_or_read(self, request: Request) -> Response:
        """POST /task/{model} and GET /task/{task_id}."""
        name = request.path_params["name"]
        if request.method == "POST":
            return await self._submit(self._served.require(name), request)
        return await self._read(parse_id(name))

    async def submit_to_default(self, request: Request) -> Response:
        """POST /task: submit to the default model."""
        return await self._submit(self._served.default, request)

    async def cancel(self, request: Request) -> Response:
        """POST /task/{task_id}/cancel: stop a task, queued or running; again does no harm."""
        id = parse_id(request.path_params["name"])
        task = _known(id, await self._ledger.run(calls.cancel(id, self._retention_ms)))
        if task.status is not Status.CANCELED:
            raise Problem(TASK_FINISHED, f"Task {id} has {task.status}, so it cannot be canceled.")
        return answer(task)

    async def _submit(self, model: str, request: Request) -> Response:
        body = await read_submission(request, self._served.validators[model])
        task = await self._ledger.run(calls.submit(str(uuid4()), model, body))
        return answer(task, status=202, location=f"/task/{task.id}")

    async def _read(self, id: str) -> Response:
        return answer(_known(id, await self._ledger.run(calls.read(id))))


def answer(task: Task, *, status: int = 200, location: str | None = None) -> Response:
    """Return the document of `task` as the answer, with when to ask again."""
    headers = dict(NO_STORE)
    if location is not None:
        headers["Location"] = location
    if (seconds := retry_after(task)) is not None:
        headers["Retry-After"] = str(seconds)
    return Response(render(task), status, headers, "application/json")


def parse_id(text: str) -> str:
    """Return a task's id in the one spelling the ledger knows.

    Raises:
        Problem: invalid-input; it is no UUID.
    """
    try:
        return str(UUID(text))
    except ValueError:
        complaint = {"loc": ["path", "task_id"], "msg": "A task's id is a UUID", "type": "uuid_parsing"}
        raise invalid([complaint]) from None


def _known(id: str, task: Task | None) -> Task:
    if task is None:
        raise Problem(UNKNOWN_TASK, f"No task {id} was accepted here, or its retention has ended.")
    return task
