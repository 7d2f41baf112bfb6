"""The steps of a worker: claims and what becomes of them, and what the keeper says and does. Part of `calls`."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from shared.ledger import replies
from shared.ledger.call import Call
from shared.ledger.payload import Argument, total
from shared.ledger.records import Asking, ChildMemory, Claim, Ended, Finished, Verdict, Won
from shared.task import Progress, TaskError


def claim(id: str, asking: Asking, retention_ms: int) -> Call[Won]:
    """Win the task whose message came, if it is queued, or else what comes next of the models wanted."""
    return Call("claim", (id, *_asked(asking, retention_ms)), partial(replies.won, nonce=asking.nonce))


def finish(ended: Sequence[Ended], retention_ms: int) -> Call[Sequence[bool]]:
    """End attempts; return which were accepted.

    One whose claim is no longer held is not, and nothing is written of it. Again does no harm.
    """
    arguments = (retention_ms, len(ended), *_fours(ended))
    return Call("finish", arguments, lambda reply: tuple(map(bool, reply)), total(arguments))


def proceed(ended: Sequence[Ended], asking: Asking, retention_ms: int) -> Call[Finished]:
    """End attempts as `finish` does, and win what comes next, in one step."""
    arguments = (retention_ms, len(ended), *_fours(ended), *_asked(asking, retention_ms))
    return Call("proceed", arguments, partial(replies.finished, nonce=asking.nonce), total(arguments))


def decline(id: str) -> Call[bool]:
    """Put the message of a queued task back, unclaimed, for another worker; False if the task is not queued."""
    return Call("decline", (id,), bool)


def renew(held: Iterable[tuple[str, int] | tuple[str, int, str]], lease_ms: int) -> Call[frozenset[str]]:
    """Extend the leases of (id, token, nonce); return the ids whose claim is no longer held."""
    pairs = [part for id, token, *nonce in held for part in (id, _fence(token, *nonce))]
    return Call("renew", (lease_ms, *pairs), lambda reply: frozenset(id.decode() for id in reply))


def announce(
    worker: str,
    slots: Mapping[str, int],
    believed_ms: int,
    memory: Iterable[ChildMemory] = (),
    shapes: Mapping[str, str] = MappingProxyType({}),
) -> Call[None]:
    """Say that `worker` lives, how many children can run each model, in which shape, and what memory each child takes.

    Zero takes it off that model's list.
    """
    rows = [part for model, count in slots.items() for part in (model, count, shapes.get(model, ""))]
    measured = " ".join(f"{child.pss}:{child.private}" for child in memory)
    return Call("announce", (worker, believed_ms, measured, *rows), lambda _: None)


def loaded(model: str, ms: int) -> Call[None]:
    """Count that a worker or a child of it has loaded a model, and how long that took."""
    return Call("loaded", (model, ms), lambda _: None)


def progress(claim: Claim, progress: Progress) -> Call[bool]:
    """Note how far an attempt is; False if the claim is no longer held."""
    fraction = "" if progress.fraction is None else repr(progress.fraction)
    token = _fence(claim.token, claim.nonce)
    return Call("progress", (claim.id, token, fraction, progress.message or ""), bool)


def succeed(claim: Claim, result: bytes, retention_ms: int) -> Call[bool]:
    """Publish a result, and claim nothing."""
    return _finish_one(Ended(claim.id, claim.token, result, claim.nonce), retention_ms)


def fail(id: str, token: int, error: TaskError, retention_ms: int, nonce: str = "") -> Call[bool]:
    """End an attempt with an error, and claim nothing."""
    return _finish_one(Ended(id, token, error, nonce), retention_ms)


def _finish_one(ended: Ended, retention_ms: int) -> Call[bool]:
    call = finish([ended], retention_ms)
    return Call(call.script, call.arguments, lambda reply: call.parse(reply)[0], call.bytes)


def release(nonces: Iterable[str], models: Iterable[str], *, alone: bool = False) -> Call[tuple[str, ...]]:
    """Give back, at no cost of an attempt, what these requests to claim (two at most) won and still hold; return it.

    With `alone` each is claimed by itself from now on: it was in a batch that had to be broken off.
    """
    arguments = (*_two(nonces), "1" if alone else "", *models)
    return Call("release", arguments, lambda reply: tuple(id.decode() for id in reply))


def abandon(
    nonces: Iterable[str], models: Iterable[str], max_attempts: int, retention_ms: int
) -> Call[tuple[Verdict, ...]]:
    """Take back what a child known to be dead had won by these requests to claim, two at most.

    By nonce, since the child may have died before it heard what it had won, or whether it had.
    """
    return Call("abandon", (*_two(nonces), max_attempts, retention_ms, *models), replies.verdicts)


def reap(max_attempts: int, retention_ms: int, sighting_ms: int, missing_ms: int) -> Call[tuple[Verdict, ...]]:
    """Take back expired leases and send lost messages again, each at its second sighting; end what is overdue."""
    return Call("reap", (max_attempts, retention_ms, sighting_ms, missing_ms), replies.verdicts)


def purge() -> Call[bool]:
    """Take tasks whose retention has ended out of the indexes, a thousand at most; True if there may be more."""
    return Call("purge", (), bool)


def _asked(asking: Asking, retention_ms: int) -> tuple[Argument, ...]:
    wanted = [part for each in asking.wanted for part in (each.model, each.most, each.wait_ms)]
    return (asking.worker, asking.nonce, asking.lease_ms, retention_ms, "1" if asking.again else "", *wanted)


def _fours(ended: Iterable[Ended]) -> list[Argument]:
    return [part for each in ended for part in (each.id, _fence(each.token, each.nonce), *_outcome(each.outcome))]


def _outcome(outcome: bytes | TaskError) -> tuple[Argument, Argument]:
    return (outcome.code, outcome.message) if isinstance(outcome, TaskError) else ("", outcome)


def _two(nonces: Iterable[str]) -> tuple[str, str]:
    first, second, *_ = (*nonces, "", "")
    return first, second


def _fence(token: int, nonce: str = "") -> Argument:
    """Return what a claim is known by: a number that a failover may have handed out twice, and the request."""
    return f"{token}:{nonce}" if nonce else token
