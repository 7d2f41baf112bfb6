"""THE error table: every way a request can fail, as an RFC 9457 problem document.

A document never carries the input, an exception's text or where Redis is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails, to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from api.metering import PROBLEM

MEDIA_TYPE = "application/problem+json"
ERRORS_SHOWN = 50  # an input can be wrong in a million places; nobody reads on
# pydantic lists all or none, at 5 us each: the 5 million that fit into 16 MiB took half a minute.
ERRORS_LISTED = 10_000
LOC_LENGTH = 100  # the name of an unknown field is the client's, and as long as they like


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table: a kind of problem, its status, and the sentence that is the same for each of it."""

    name: str  # empty: the status says it all
    status: int
    title: str

    @property
    def type(self) -> str:
        """Return the URI by which a program knows this kind."""
        return f"urn:penstock:problem:{self.name}" if self.name else "about:blank"


BAD_HEADER = Kind("bad-header", 400, "A header is not as it must be")
BROKEN_JSON = Kind("broken-json", 400, "The body is not JSON")
UNAUTHORIZED = Kind("unauthorized", 401, "A key is needed")
UNKNOWN_TASK = Kind("unknown-task", 404, "There is no such task")
UNKNOWN_MODEL = Kind("unknown-model", 404, "No such model is served")
REQUEST_TIMEOUT = Kind("request-timeout", 408, "The request came too slowly")
TASK_GONE = Kind("task-gone", 410, "The task is no longer kept")
TASK_FINISHED = Kind("task-finished", 409, "The task has finished")
NOT_RETRYABLE = Kind("not-retryable", 409, "The task neither failed nor was canceled")
BODY_TOO_LARGE = Kind("body-too-large", 413, "The body is too large")
UNSUPPORTED_MEDIA_TYPE = Kind("unsupported-media-type", 415, "The body must be JSON in UTF-8")
INVALID_INPUT = Kind("invalid-input", 422, "The request is not valid")
KEY_REUSED = Kind("key-reused", 422, "The Idempotency-Key came with another request before")
OWNER_FULL = Kind("owner-full", 429, "Too many of your tasks are queued")
TOO_FAST = Kind("too-fast", 429, "Too many requests")
INTERNAL_ERROR = Kind("internal-error", 500, "The server failed")
QUEUE_FULL = Kind("queue-full", 503, "The queue is full")
LEDGER_UNAVAILABLE = Kind("ledger-unavailable", 503, "The ledger is not available")
# Of a request that the application never sees.
MALFORMED = Kind("", 400, "Bad Request")
HEAD_TOO_LARGE = Kind("", 431, "Request Header Fields Too Large")

TABLE = (
    BAD_HEADER,
    BROKEN_JSON,
    UNAUTHORIZED,
    UNKNOWN_TASK,
    UNKNOWN_MODEL,
    REQUEST_TIMEOUT,
    TASK_FINISHED,
    NOT_RETRYABLE,
    TASK_GONE,
    BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    INVALID_INPUT,
    KEY_REUSED,
    OWNER_FULL,
    TOO_FAST,
    INTERNAL_ERROR,
    QUEUE_FULL,
    LEDGER_UNAVAILABLE,
)


class Complaint(BaseModel):
    """One thing that is wrong with a request."""

    loc: list[str | int] = Field(description="where: `body`, `query` or `path`, then the way to the field")
    msg: str
    type: str


class ProblemDocument(BaseModel):
    """An RFC 9457 problem document."""  # what clients read of it; answers are made by `response`

    type: str = Field(description="urn:penstock:problem:<kind>, or about:blank when the status says it all")
    title: str
    status: int
    detail: str
    instance: str = Field(description="the path that was asked for")
    errors: list[Complaint] | None = Field(default=None, description="with 422 only")


class Problem(Exception):  # noqa: N818 (RFC 9457 calls it a problem)
    """Raised by an endpoint to answer with a problem document."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = headers
        self.errors = errors


def ledger_unavailable() -> Problem:
    """Make the answer for when Redis is away; whether a submit happened is not known then."""
    return Problem(
        LEDGER_UNAVAILABLE, "Redis cannot be reached or did not answer in time.", headers={"Retry-After": "1"}
    )


def body_too_large(limit: int) -> Problem:
    """Make the answer to a body of more than `limit` bytes."""
    return Problem(BODY_TOO_LARGE, f"The body may have {limit} bytes at most.")


def head_too_large(limit: int) -> Problem:
    """Make the answer to a request line and headers of more than `limit` bytes."""
    return Problem(HEAD_TOO_LARGE, f"The request line and the headers may have {limit} bytes at most.")


def malformed() -> Problem:
    """Make the answer to what is not HTTP."""
    return Problem(MALFORMED, "The request is not valid HTTP/1.1.")


def too_slow(seconds: float, pace: int) -> Problem:
    """Make the answer to a request that does not come on."""
    detail = f"The headers must come within {seconds:g} s, and a body with {pace} bytes a second at least."
    return Problem(REQUEST_TIMEOUT, detail)


def invalid(errors: Sequence[Mapping[str, Any]], *, more: int = 0) -> Problem:
    """Make the 422 that lists the first of `errors`; `more` says how many others there are."""
    places = ", ".join(".".join(map(str, error["loc"])) for error in errors[:3])
    others = len(errors) + more - 3
    detail = f"Wrong: {places}{f' and {others} more' if others > 0 else ''}."
    return Problem(INVALID_INPUT, detail, errors=errors[:ERRORS_SHOWN])


def invalid_body(error: ValidationError) -> Problem:
    """Make the answer to a body that its model's Input refuses: 400 if it is not JSON at all, else 422."""
    if (count := error.error_count()) > ERRORS_LISTED:
        return Problem(INVALID_INPUT, f"The body is wrong in {count} places, too many to name any.", errors=[])
    found = error.errors(include_url=False, include_input=False)
    first = found[0]
    if first["type"] == "json_invalid" and not first["loc"]:
        return Problem(BROKEN_JSON, f"{first['msg']}.")
    return invalid([complaint("body", item) for item in found[:ERRORS_SHOWN]], more=max(0, len(found) - ERRORS_SHOWN))


def complaint(part: str, error: ErrorDetails) -> dict[str, Any]:
    """Turn one of pydantic's errors about a `part` of the request into what a client may see."""
    loc = [place if isinstance(place, int) else place[:LOC_LENGTH] for place in error["loc"]]
    return {"loc": [part, *loc], "msg": _message(error), "type": error["type"]}


def _message(error: ErrorDetails) -> str:
    if error["type"] == "union_tag_invalid":  # pydantic's own sentence quotes the tag that was sent
        return f"Input tag does not match any of the expected tags: {error['ctx']['expected_tags']}"
    return error["msg"].removeprefix("Value error, ")  # a validator's own sentence stands for itself


def response(problem: Problem, scope: Scope) -> Response:
    """Return `problem` as the answer to the request of `scope`."""
    kind = problem.kind
    document: dict[str, Any] = {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        "instance": quote(scope["path"]),
    }
    if problem.errors is not None:
        document["errors"] = problem.errors
    headers = {"Cache-Control": "no-store", **(problem.headers or {})}
    scope[PROBLEM] = kind.name  # for whoever counts
    return Response(to_json(document), kind.status, headers, MEDIA_TYPE)


async def on_problem(request: Request, problem: Exception) -> Response:
    """Answer what an endpoint raised on purpose."""
    assert isinstance(problem, Problem)  # noqa: S101 (registered for this type only)
    return response(problem, request.scope)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the framework raises: no such path, or no such method there."""
    assert isinstance(error, HTTPException)  # noqa: S101 (registered for this type only)
    kind = Kind("", error.status_code, HTTPStatus(error.status_code).phrase)
    detail = f"{request.method} {quote(request.url.path)}: {error.detail}"
    return response(Problem(kind, detail, headers=error.headers), request.scope)
