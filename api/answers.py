"""The answers of the OpenAPI document: what comes with each status, headers included. Pure."""

from collections.abc import Iterable
from typing import Any

from api.components import reference
from api.parameters import CHALLENGE, EVERYWHERE, RATE_FIELDS, RETRY_AFTER
from api.problems import (
    INVALID_INPUT,
    LEDGER_UNAVAILABLE,
    MEDIA_TYPE,
    OWNER_FULL,
    QUEUE_FULL,
    TOO_FAST,
    UNAUTHORIZED,
    Kind,
)

Json = dict[str, Any]

WITH_HEADERS = {
    UNAUTHORIZED: CHALLENGE,
    **dict.fromkeys((OWNER_FULL, TOO_FAST, QUEUE_FULL, LEDGER_UNAVAILABLE), RETRY_AFTER),
}


def answer(
    description: str, schema: Json, headers: Json | None = None, *, media_type: str = "application/json"
) -> Json:
    """Return an answer that has a body."""
    content = {media_type: {"schema": schema}}
    return {"description": description, "headers": {**EVERYWHERE, **(headers or {})}, "content": content}


def empty(description: str, headers: Json | None = None) -> Json:
    """Return an answer without a body."""
    return {"description": description, "headers": {**EVERYWHERE, **(headers or {})}}


def problems(kinds: Iterable[Kind]) -> Json:
    """Return the answers to what can go wrong, by status."""
    by_status: dict[int, list[Kind]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {str(status): _one_of(found) for status, found in by_status.items()}


def problem(kind: Kind) -> Json:
    """Return the answer to one kind of problem."""
    return _problem_of([kind])


def count_requests(answers: Iterable[Json]) -> None:
    """Say of these answers that they tell how many more requests are allowed."""
    for described in answers:
        if "$ref" not in described:
            described["headers"] |= RATE_FIELDS


def _one_of(kinds: list[Kind]) -> Json:
    """Return the answer of one status: a reference, or what stands for several kinds that share it."""
    return {"$ref": f"#/components/responses/{kinds[0].name}"} if len(kinds) == 1 else _problem_of(kinds)


def _problem_of(kinds: list[Kind]) -> Json:
    described = answer(
        ", or ".join(kind.title for kind in kinds),
        reference("ProblemDocument"),
        WITH_HEADERS.get(kinds[0]),
        media_type=MEDIA_TYPE,
    )
    described["content"][MEDIA_TYPE]["examples"] = {kind.name: {"value": _example(kind)} for kind in kinds}
    return described


def _example(kind: Kind) -> Json:
    errors = {"errors": [{"loc": ["body", "x"], "msg": "Field required", "type": "missing"}]}
    return {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": "Wrong: body.x." if kind is INVALID_INPUT else f"{kind.title}.",
        "instance": "/task/wait",
        **(errors if kind is INVALID_INPUT else {}),
    }
