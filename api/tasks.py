"""The endpoints under /task. One request is one step of the ledger, unless it waits."""

import time
from collections.abc import Awaitable, Mapping
from functools import partial
from uuid import UUID, uuid4

from fastapi.sse import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.changes import Changes
from api.conditions import cache_control, etag, is_known
from api.document import around_result, render, render_listed
from api.door import OWNER
from api.eta import retry_after, retry_after_refusal
from api.idempotency import HEADER, make_key, read_key
from api.ledger import BoundedLedger
from api.options import NO_OPTIONS, Listing, Options, Reading, read_options, read_query
from api.preferences import applied, granted, preferred_wait
from api.problems import (
    KEY_REUSED,
    NOT_RETRYABLE,
    OWNER_FULL,
    QUEUE_FULL,
    TASK_FINISHED,
    TASK_GONE,
    UNKNOWN_TASK,
    Problem,
    invalid,
)
from api.readings import Readings
from api.served import ServedModels
from api.submission import read_body, require_fetchable
from api.waiting import stream, until_final
from shared.ledger import calls
from shared.ledger.records import Admission, Full, KeyReused, Refusal, Replay, Submission
from shared.settings import Settings
from shared.task import Missing, Status, Task

VARY = "Authorization, X-API-Key, Prefer"  # what a document depends on beside its path


class TaskEndpoints:
    """What answers under /task."""

    def __init__(self, ledger: BoundedLedger, changes: Changes, served: ServedModels, settings: Settings) -> None:
        self._ledger = ledger
        self._changes = changes
        self._readings = Readings(ledger, settings.retention_ms)
        self._served = served
        self._retention_ms = settings.retention_ms
        self._callback_rules = settings.callback_rules
        self._fetch_rules = settings.fetch_rules
        self._longest_wait = settings.max_wait_seconds
        self._admission = Admission(settings.max_queued, settings.max_queued_per_owner)

    def routes(self) -> list[BaseRoute]:
        """Return the routes of these endpoints.

        What follows /task/ is a model's name when posting and a task's id otherwise. That is one route with all
        methods, rather than one per model, so that a 405 names every method that is allowed there.
        """
        return [
            Route("/task/{name}", self.post_read_or_forget, methods=["GET", "POST", "DELETE"]),
            Route("/task", self.post_or_list, methods=["GET", "POST"]),
            Route("/task/{name}/cancel", self.cancel, methods=["POST"]),
            Route("/task/{name}/retry", self.retry, methods=["POST"]),
            Route("/task/{name}/events", self.events, methods=["GET"]),
        ]

    async def post_read_or_forget(self, request: Request) -> Response:
        """POST /task/{model}, GET /task/{task_id} and DELETE /task/{task_id}."""
        name = request.path_params["name"]
        if request.method == "POST":
            return await self._submit(self._served.require(name), request)
        if request.method == "DELETE":
            return await self._forget(parse_id(name), request.scope[OWNER])
        return await self._read(parse_id(name), request)

    async def post_or_list(self, request: Request) -> Response:
        """POST /task: submit to the default model. GET /task: a page of the owner's tasks."""
        if request.method == "POST":
            return await self._submit(self._served.default, request)
        return await self._list(request)

    async def cancel(self, request: Request) -> Response:
        """POST /task/{task_id}/cancel: stop a task, queued or running; again does no harm."""
        id = parse_id(request.path_params["name"])
        call = calls.cancel(id, request.scope[OWNER], self._retention_ms)
        task = known(id, await self._ledger.run(call))
        if task.status is not Status.CANCELED:
            raise Problem(TASK_FINISHED, f"Task {id} has {task.status}, so it cannot be canceled.")
        return answer(task, {"Content-Location": path(id)})

    async def retry(self, request: Request) -> Response:
        """POST /task/{task_id}/retry: have a task that failed or was canceled queued again."""
        id = parse_id(request.path_params["name"])
        call = calls.retry(id, request.scope[OWNER], self._admission, self._retention_ms)
        found = await self._ledger.run(call)
        if isinstance(found, Refusal):
            raise refused(found)
        task = known(id, found.task)
        if not found.accepted:
            raise Problem(NOT_RETRYABLE, f"Task {id} is {task.status}; only a failed or canceled one is retried.")
        return answer(task, {"Location": path(id), "Content-Location": path(id)}, status=202)

    async def events(self, request: Request) -> Response:
        """GET /task/{task_id}/events: the task's document now and at every change, as server-sent events."""
        id, owner = parse_id(request.path_params["name"]), request.scope[OWNER]
        task = known(id, await self._get(id, owner))
        seen = request.headers.get("last-event-id")
        if task.is_final and seen == event_id(task):
            return Response(status_code=204)  # tells a browser not to come again
        read = partial(self._readings.get, id, owner)
        events = stream(self._changes, id, read, shown, seen)
        return EventSourceResponse(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def _submit(self, model: str, request: Request) -> Response:
        query = request.scope["query_string"]
        options = NO_OPTIONS
        if query:
            limit = self._served.time_limits[model]
            options = read_options(request.query_params.multi_items(), limit, self._callback_rules)
        key = read_key(request.headers.getlist(HEADER))
        body, input = await read_body(request, self._served.validators[model])
        require_fetchable(input, self._served.urls[model], self._fetch_rules)
        submission = Submission(
            str(uuid4()),
            model,
            body,
            owner=request.scope[OWNER],
            priority=options.priority,
            time_limit_ms=options.time_limit_ms,
            expires_in_ms=options.expires_in_ms,
            callback=options.callback_url,
            key=make_key(key, model, input, body, options.of_the_task()) if key else None,
        )
        found = await self._ledger.run(calls.submit(submission, self._admission, self._retention_ms))
        if isinstance(found, Refusal):
            raise refused(found)
        if isinstance(found, KeyReused):
            raise Problem(KEY_REUSED, "A key stands for one request; take another key for another one.")
        seconds = self._wanted_wait(request, options)
        if isinstance(found, Replay):
            replayed = {"Idempotency-Replayed": "true"}
            return await self._accepted(known(found.id, found.task), replayed, seconds, request)
        return await self._accepted(found, {}, seconds, request)

    async def _accepted(self, task: Task, headers: dict[str, str], seconds: float | None, request: Request) -> Response:
        headers["Location"] = path(task.id)
        if seconds is None:
            return answer(task, headers, status=202)
        try:
            later = await self._until_final(task, request, seconds)
        except Problem:  # Redis is away now; that the task was accepted is certain
            later = task
        headers |= waited(seconds)
        return answer(later, headers, status=200 if later.is_final else 202)

    async def _read(self, id: str, request: Request) -> Response:
        query = request.scope["query_string"]
        options = read_query(Reading, request.query_params.multi_items()) if query else None
        seconds = self._wanted_wait(request, options)
        task = known(id, await self._get(id, request.scope[OWNER]))
        headers: dict[str, str] = {}
        if seconds is not None:
            task = await self._until_final(task, request, seconds)
            headers = waited(seconds)
        return conditional(task, headers, request)

    async def _until_final(self, task: Task, request: Request, seconds: float) -> Task:
        if task.is_final:
            return task
        id, owner = task.id, request.scope[OWNER]
        read = partial(self._readings.get, id, owner)
        return known(id, await until_final(self._changes, request, id, read, seconds))

    async def _list(self, request: Request) -> Response:
        asked = read_query(Listing, request.query_params.multi_items())
        call = calls.list_tasks(
            request.scope[OWNER],
            self._retention_ms,
            limit=asked.limit,
            before=None if asked.cursor is None else int(asked.cursor),
            model=asked.model,
            statuses=dict.fromkeys(asked.status),
        )
        page = await self._ledger.run(call)
        after = b"null" if page.before is None else b'"%d"' % page.before
        body = b'{"tasks":[%b],"next":%b}' % (b",".join(map(render_listed, page.tasks)), after)
        return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")

    async def _forget(self, id: str, owner: str) -> Response:
        missing = await self._ledger.run(calls.forget(id, owner, self._retention_ms))
        if missing is not None:
            known(id, missing)
        return Response(status_code=204)

    def _wanted_wait(self, request: Request, options: Options | Reading | None) -> float | None:
        """Return how many seconds a request will wait at most, by its query or else its headers; None: not at all."""
        asked = None if options is None else options.wait
        if asked is None and "prefer" in request.headers:
            asked = preferred_wait(request.headers.getlist("prefer"))
        return None if asked is None else granted(asked, self._longest_wait)

    def _get(self, id: str, owner: str) -> Awaitable[Task | Missing]:
        return self._ledger.run(calls.read(id, owner, self._retention_ms))


def answer(task: Task, headers: Mapping[str, str], *, status: int = 200) -> Response:
    """Return the document of `task` as the answer to what was done to it, with when to ask again."""
    all_headers = {"Cache-Control": "no-store", **ask_again(task), **headers}
    return Response(render(task), status, all_headers, "application/json")


def conditional(task: Task, headers: Mapping[str, str], request: Request) -> Response:
    """Return the document of `task`, or that the client has it already."""
    around = around_result(task)
    tag = etag(around)
    all_headers = {
        "Cache-Control": cache_control(task, time.time_ns() // 1_000_000),
        "ETag": tag,
        "Vary": VARY,
        **ask_again(task),
        **headers,
    }
    if is_known(request.headers.getlist("if-none-match"), tag):
        return Response(status_code=304, headers=all_headers)
    return Response(render(task, around), 200, all_headers, "application/json")


def waited(seconds: float) -> dict[str, str]:
    """Return the headers of an answer to a request that was let wait."""
    return {"Preference-Applied": applied(seconds), "Vary": VARY}


def ask_again(task: Task) -> dict[str, str]:
    """Return the header that says when to ask again; none once the task is final."""
    seconds = retry_after(task)
    return {} if seconds is None else {"Retry-After": str(seconds)}


def event_id(task: Task) -> str:
    """Return the id of the event that shows `task` as it is now."""
    return etag(around_result(task)).strip('"')


def shown(task: Task) -> tuple[bytes, str]:
    """Return the document of `task`, and the id of the event that has it."""
    around = around_result(task)
    return render(task, around), etag(around).strip('"')


def path(id: str) -> str:
    """Return a task's path."""
    return f"/task/{id}"


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


def known(id: str, task: Task | Missing) -> Task:
    """Return the task that was found.

    Raises:
        Problem: unknown-task or task-gone.
    """
    if task is Missing.GONE:
        raise Problem(TASK_GONE, f"Task {id} finished or was deleted, and is no longer kept.")
    if task is Missing.UNKNOWN:
        raise Problem(UNKNOWN_TASK, f"No task {id} was accepted here, or it was forgotten long ago.")
    return task
