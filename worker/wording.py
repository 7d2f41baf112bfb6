"""What a worker's lines say of the tasks that they are about, so that one search for an id finds all of them. Pure."""

from collections.abc import Sequence

from shared.ledger.records import Claim, Verdict
from shared.trace import trace_id
from worker.slots import Attempt

Fields = dict[str, object]


def of_claims(claims: Sequence[Claim]) -> Fields:
    """Return what is said of one claim; or of several that are computed together, each of which has a part in it."""
    first, *others = claims
    if not others:
        its: Fields = {"task_id": first.id, "attempt": first.token, "model": first.model}
        return (
            its | _request(first.request_id) | ({"trace_id": trace_id(first.traceparent)} if first.traceparent else {})
        )
    requests = list(dict.fromkeys(claim.request_id for claim in claims if claim.request_id))
    all_of_them: Fields = {"task_ids": [claim.id for claim in claims], "model": first.model}
    return all_of_them | ({"request_ids": requests} if requests else {})


def of_verdict(verdict: Verdict) -> Fields:
    """Return what is said of a task that was taken back, or whose message was sent again."""
    its: Fields = {"task_id": verdict.id, "attempt": verdict.attempt}
    return its | _request(verdict.request_id)


def of_attempts(attempts: Sequence[Attempt]) -> Fields:
    """Return what is said of the attempts that a child holds, if any; the first runs, if each is computed alone."""
    if not attempts:
        return {}
    (id, token), *others = attempts
    its: Fields = {"task_id": id, "attempt": token, "tasks": 1 + len(others)}
    return its | ({"task_ids": [id, *(other for other, _ in others)]} if others else {})


def _request(id: str) -> Fields:
    return {"request_id": id} if id else {}
