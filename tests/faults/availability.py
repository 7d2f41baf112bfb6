"""Invariants 4 to 6: the system answers, keeps its processes and children, and recovers in bounded time. Pure."""

from tests.faults.line import next_since
from tests.faults.observations import MODELS, History
from tests.faults.observer import seconds_without
from tests.faults.recovery import recoveries
from tests.faults.violation import Violation, Violations

ANSWER_SECONDS = 1.5
RECOVERY_SECONDS = 5.0  # beyond the lease


def what_was_accepted_is_known(history: History) -> Violations:
    """4. A 202's id is never answered 404."""
    by_token = {task.asked.token: task for task in history.tasks}
    for found in history.answers:
        if found.status == 404 and found.token in by_token:
            yield Violation("lost", f"{found.api} answered 404 at {found.began:.3f}", by_token[found.token])


def answers_are_expected(history: History) -> Violations:
    """4. Besides what it promises, the API answers 503 with a Retry-After, and nothing else."""
    for found in history.answers:
        if found.status not in (None, 200, 202, 404, 409, 503):
            yield Violation("wrong", f"{found}")
        if found.status == 503 and not found.retry_after:
            yield Violation("wrong", f"a 503 without Retry-After: {found}")


def no_request_hangs(history: History) -> Violations:
    """4. Every request gets its answer, or an error of its connection, unless its API stood still meanwhile."""
    frozen = [fault for fault in history.faults if fault.api]
    for found in history.answers:
        took = seconds_without(history.pauses, found.began, found.began + found.seconds)
        if took > ANSWER_SECONDS and not any(
            fault.api == found.api and fault.struck < found.began + found.seconds and fault.ended > found.began
            for fault in frozen
        ):
            yield Violation("hung", f"{found}")


def no_slot_is_lost(history: History) -> Violations:
    """5. At the end every worker has all its children, they all work, and nothing is left to do."""
    setup, found = history.setup, history.capacity
    slots = setup.workers * setup.children
    if list(found.children.values()) != [setup.children] * setup.workers:
        yield Violation("slots", f"living children: {dict(found.children)}")
    for model in MODELS:
        at_work, ready, queue = (each.get(model) or {} for each in (found.at_work, found.ready, found.queue))
        if at_work != slots:
            yield Violation("slots", f"{at_work} of {slots} children ran {model} when there was enough for each")
        if (ready.get("workers"), ready.get("slots")) != (setup.workers, slots):
            yield Violation("slots", f"/readyz says {ready} of {model}")
        if (queue.get("queued"), queue.get("running")) != (0, 0):
            yield Violation("slots", f"/models/{model} says {queue}")
    if found.left_behind:
        yield Violation("slots", f"of the ended process groups {found.left_behind} some members live")


def nobody_ends_unasked(history: History) -> Violations:
    """5. A process that was ready ends because it was killed or told to, and when told to, does so."""
    for found in history.exits:
        if found.was_ready and found.pid not in history.felled:
            yield Violation("ended", f"{found.unit} ended by itself with code {found.code}:\n{found.log}")
    for sentence in history.overstayed:
        yield Violation("ended", f"did not stop: {sentence}")
    for sentence in history.complaints:
        yield Violation("ended", sentence)


def recovery_is_bounded(history: History) -> Violations:
    """6. What ran when a fault struck is final or runs again soon after the outage, or when its turn has come."""
    bound = history.setup.lease_seconds + RECOVERY_SECONDS
    for found in recoveries(history):
        if found.seconds <= bound:
            continue
        its_turn = next_since(found.task, found.at, history)
        if seconds_without(history.pauses, found.clock, its_turn) > bound:
            kind, struck = found.fault.kind, found.fault.struck
            sentence = (
                f"recovered from '{kind}' at {struck:.3f} after {found.seconds:.1f} s, next in line at {its_turn:.3f}"
            )
            yield Violation("slow", sentence, found.task)
