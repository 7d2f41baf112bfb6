"""The endpoints under /task: submit, read, cancel. One request is one step of the ledger."""

from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.document import render
from api.eta import retry_after, retry_after_refusal
from api.ledger import BoundedLedger
from api.options import NO_OPTIONS, read_options
from api.problems import OWNER_FULL, QUEUE_FULL, TASK_FINISHED, TASK_GONE, UNKNOWN_TASK, Problem, invalid
from api.served import ServedModels
from api.submission import read_body
from shared.ledger import calls
from shared.ledger.calls import Admission, Full, Refusal, Submission
from shared.settings import Settings
from shared.task import Missing, Status, Task

NO_STORE = {"Cache-Control": "no-store"}


class TaskEndpoints:
    """What answers under /task."""

    def __init__(self, ledger: BoundedLedger, served: ServedModels, settings: Settings) -> None:
        self._ledger = ledger
        self._served = served
        self._retention_ms = settings.retention_ms
        self._admission = Admission(settings.max_queued, settings.max_queued_per_owner)

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
        query = request.scope["query_string"]
        options = (
            read_options(request.query_params.multi_items(), self._served.time_limits[model]) if query else NO_OPTIONS
        )
        body = await read_body(request, self._served.validators[model])
        submission = Submission(
            str(uuid4()), model, body, time_limit_ms=options.time_limit_ms, expires_in_ms=options.expires_in_ms
        )
        task = await self._ledger.run(calls.submit(submission, self._admission, self._retention_ms))
        if isinstance(task, Refusal):
            raise refused(task)
        return answer(task, status=202, location=f"/task/{task.id}")

    async def _read(self, id: str) -> Response:
        return answer(_known(id, await self._ledger.run(calls.read(id, self._retention_ms))))


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


def refused(refusal: Refusal) -> Problem:
    """Return the answer to a submit that was not accepted: 503 if the queue is full, 429 if its owner's share is."""
    headers = {"Retry-After": str(retry_after_refusal(refusal.ms_per_claim))}
    if refusal.full is Full.OWNER:
        return Problem(OWNER_FULL, f"{refusal.queued} of your tasks are queued already.", headers=headers)
    return Problem(QUEUE_FULL, f"{refusal.queued} tasks of this model are queued already.", headers=headers)


def _known(id: str, task: Task | Missing) -> Task:
    if task is Missing.GONE:
        raise Problem(TASK_GONE, f"Task {id} finished, and its retention has ended.")
    if task is Missing.UNKNOWN:
        raise Problem(UNKNOWN_TASK, f"No task {id} was accepted here, or it was forgotten long ago.")
    return task
