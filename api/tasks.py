"""The endpoints under /task. One request is one step of the ledger, unless it waits."""

from collections.abc import Callable
from functools import partial
from uuid import uuid4

import structlog
from fastapi.sse import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.answering import answer, conditional, waited
from api.changes import Changes
from api.conditions import etag
from api.document import around_result, render, render_listed
from api.door import OWNER
from api.findings import known, location, parse_id, refused
from api.idempotency import HEADER, make_key, read_key
from api.ledger import BoundedLedger
from api.lookup import Lookup
from api.options import NO_OPTIONS, Listing, Options, Reading, read_options, read_query
from api.preferences import granted, preferred_wait
from api.problems import KEY_REUSED, NOT_RETRYABLE, TASK_FINISHED, Problem
from api.served import ServedModels
from api.submission import read_body, require_fetchable
from api.tracing import untraced
from api.waiting import stream
from shared.ledger import calls
from shared.ledger.outlooks import Outlooks
from shared.ledger.records import Admission, KeyReused, Refusal, Replay, Submission
from shared.log import request_id
from shared.settings import Settings
from shared.task import Status, Task

log = structlog.get_logger()


class TaskEndpoints:
    """What answers under /task."""

    def __init__(
        self,
        ledger: BoundedLedger,
        changes: Changes,
        served: ServedModels,
        settings: Settings,
        traceparent: Callable[[], str] = untraced,
    ) -> None:
        self._traceparent = traceparent
        self._ledger = ledger
        self._changes = changes
        self._outlooks = Outlooks()
        self._lookup = Lookup(ledger, changes, settings.retention_ms, self._outlooks)
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
        log.info("canceled", task_id=id, attempt=task.attempt, model=task.model)
        return answer(task, {b"content-location": location(id)})

    async def retry(self, request: Request) -> Response:
        """POST /task/{task_id}/retry: have a task that failed or was canceled queued again."""
        id = parse_id(request.path_params["name"])
        call = calls.retry(
            id,
            request.scope[OWNER],
            self._admission,
            self._retention_ms,
            request_id=request_id(),
            traceparent=self._traceparent(),
        )
        found = await self._ledger.run(call)
        if isinstance(found, Refusal):
            raise refused(found)
        task = known(id, found.task)
        if not found.accepted:
            raise Problem(NOT_RETRYABLE, f"Task {id} is {task.status}; only a failed or canceled one is retried.")
        log.info("retried", task_id=id, attempt=task.attempt, model=task.model)
        return answer(task, {b"location": location(id), b"content-location": location(id)}, status=202)

    async def events(self, request: Request) -> Response:
        """GET /task/{task_id}/events: the task's document now and at every change, as server-sent events."""
        id, owner = parse_id(request.path_params["name"]), request.scope[OWNER]
        task = known(id, await self._lookup.read(id, owner))
        seen = request.headers.get("last-event-id")
        if task.is_final and seen == event_id(task):
            return Response(status_code=204)  # tells a browser not to come again
        read = partial(self._lookup.read_whole, id, owner)
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
            request_id=request_id(),
            traceparent=self._traceparent(),
            key=make_key(key, model, input, body, options.of_the_task()) if key else None,
        )
        del input  # as large as the body, if not larger, and the ledger may take a while
        seconds = self._wanted_wait(request, options)
        if seconds is None:
            task, headers = await self._accept(submission)
            return answer(await self._lookup.whole(task), headers, status=202)
        return await self._submit_and_wait(submission, request, seconds)

    async def _submit_and_wait(self, submission: Submission, request: Request, seconds: float) -> Response:
        # Watched before it is submitted, so it need not be read again to see what happened in between.
        async with self._changes.watching(submission.id) as watch:
            ended = watch.ended
            task, headers = await self._accept(submission)
            watched = (watch, ended) if task.id == submission.id else None  # else it came with the same key before
            try:
                later = await self._lookup.whole(await self._lookup.until_final(task, request, seconds, watched))
            except Problem:  # Redis is away now; that the task was accepted is certain
                if task.left_out:
                    raise  # it came with the same key before, and its result is not known here
                later = task
        return answer(later, headers | waited(seconds), status=200 if later.is_final else 202)

    async def _accept(self, submission: Submission) -> tuple[Task, dict[bytes, bytes]]:
        """Return the task that was accepted, now or with the same key before, and the headers that say so.

        Raises:
            Problem: queue-full, owner-full, key-reused; or the task that had come with the key is gone.
        """
        found = await self._ledger.run(calls.submit(submission, self._admission, self._retention_ms, self._outlooks))
        if isinstance(found, Refusal):
            raise refused(found)
        if isinstance(found, KeyReused):
            raise Problem(KEY_REUSED, "A key stands for one request; take another key for another one.")
        if isinstance(found, Replay):
            log.info("replayed", task_id=found.id, model=submission.model)
            replayed = {b"idempotency-replayed": b"true", b"location": location(found.id)}
            return known(found.id, found.task), replayed
        log.info("accepted", task_id=found.id, model=submission.model, priority=submission.priority)
        return found, {b"location": location(found.id)}

    async def _read(self, id: str, request: Request) -> Response:
        query = request.scope["query_string"]
        options = read_query(Reading, request.query_params.multi_items()) if query else None
        seconds = self._wanted_wait(request, options)
        task = known(id, await self._lookup.read(id, request.scope[OWNER]))
        headers: dict[bytes, bytes] = {}
        if seconds is not None:
            task = await self._lookup.until_final(task, request, seconds)
            headers = waited(seconds)
        return await conditional(task, headers, request, self._lookup.whole)

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
        log.info("forgotten", task_id=id)
        return Response(status_code=204)

    def _wanted_wait(self, request: Request, options: Options | Reading | None) -> float | None:
        """Return how many seconds a request will wait at most, by its query or else its headers; None: not at all."""
        asked = None if options is None else options.wait
        if asked is None and "prefer" in request.headers:
            asked = preferred_wait(request.headers.getlist("prefer"))
        return None if asked is None else granted(asked, self._longest_wait)


def event_id(task: Task) -> str:
    """Return the id of the event that shows `task` as it is now."""
    return etag(around_result(task)).strip('"')


def shown(task: Task) -> tuple[bytes, str]:
    """Return the document of `task`, and the id of the event that has it."""
    around = around_result(task)
    return render(task, around), etag(around).strip('"')
