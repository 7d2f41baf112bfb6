"""What must hold whatever is done to the system. Pure: each is a function of what was observed."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.faults.observations import Document, Fault, History, Sighting, Task
from tests.faults.observer import seconds_without
from tests.faults.recovery import Run, recoveries, runs_of
from tests.faults.workload import answer

ANSWER_SECONDS = 1.5
RECOVERY_SECONDS = 5.0  # beyond the lease
SETTLED_SECONDS = 20.0  # beyond the lease: everything is final by then, after the last fault and the last submit
SCHEDULING_SECONDS = 0.5  # how far a limit and a clock of ours may be apart


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not happen. `kind` is a column of the report."""

    kind: str  # lost, stuck, changed, wrong, doubled, slow, hung, ended, slots
    sentence: str
    task: Task | None = None


Violations = Iterator[Violation]


def every_task_becomes_final(history: History) -> Violations:
    """1. Every 202 ends in a final state, in bounded time after the last fault."""
    bound = history.over + history.setup.lease_seconds + SETTLED_SECONDS
    for task in history.tasks:
        if task.final is None:
            yield Violation("stuck", f"never final; last seen {_last(task)}", task)
        elif task.final.at > bound:
            yield Violation("stuck", f"final only {task.final.at - history.over:.1f} s after the last fault", task)


def a_final_state_is_final(history: History) -> Violations:
    """1. Nothing follows a final document, and the first that was seen is the one read at the very end."""
    for task in history.tasks:
        if task.final is None:
            continue
        if task.sightings[-1] is not task.final:
            yield Violation("changed", f"was {task.final.document}, then {_last(task)}", task)
        if task.at_the_end != task.final.document:
            yield Violation("changed", f"was {task.final.document}, at the end {task.at_the_end}", task)


def a_result_is_its_inputs(history: History) -> Violations:
    """2. A success has the result that its own input demands, and no other task has one."""
    for task, final in _finals(history):
        token, result = task.asked.token, final.document["result"]
        demanded = {"token": token, "answer": answer(token)} if final.document["status"] == "succeeded" else None
        if result != demanded:
            yield Violation("wrong", f"the result is {result}", task)


def an_outcome_is_allowed(history: History) -> Violations:
    """2. A task ends as its behaviour, its client and the faults allow."""
    for run in runs_of(history):
        if run.task.final is not None:
            status, code = _outcome(run.task.final.document)
            if code not in allowed(run, status, history):
                yield Violation(
                    "wrong", f"a task that was told to {run.task.asked.behave} ended {status} {code}", run.task
                )


def allowed(run: Run, status: str, history: History) -> set[str]:
    """Return the error codes with which a task may end in `status`; the empty one means none."""
    asked, setup = run.task.asked, history.setup
    if status == "canceled":
        return {""} if run.task.cancels else set()
    if status == "succeeded":
        return {""} if asked.behave == "succeed" else set()
    codes = {"model_error"} if asked.behave == "raise" else set()
    if asked.behave == "spin" or asked.seconds + frozen_seconds(run, history.faults) > setup.limit_seconds:
        codes.add("timeout")
    if run.task.final and run.task.final.document["attempt"] >= setup.max_attempts:
        codes.add("worker_lost")
    return codes


def frozen_seconds(run: Run, faults: list[Fault]) -> float:
    """Return how long the processes that ran a task stood still while it was under way."""
    pids = {execution.pid for execution in run.executions}
    return sum(fault.ended - fault.struck + SCHEDULING_SECONDS for fault in faults if fault.frozen & pids)


def a_cancellation_holds(history: History) -> Violations:
    """2. A client that was told 200 has canceled its task."""
    for task, final in _finals(history):
        if 200 in task.cancels and final.document["status"] != "canceled":
            yield Violation("wrong", f"canceling it was answered 200, and it ended {_outcome(final.document)}", task)


def one_attempt_publishes(history: History) -> Violations:
    """3. At most one finish was accepted, and the task is what that one said."""
    by_id = {task.id: task for task in history.tasks}
    accepted = [finish for finish in history.finishes if finish.accepted]
    for id, count in Counter(finish.id for finish in accepted).items():
        if count > 1:
            yield Violation("doubled", f"{count} finishes of {id} were accepted", by_id.get(id))
    for finish in accepted:
        task = by_id.get(finish.id)
        if task and task.final and not _says(task.final.document, finish.outcome, finish.attempt):
            yield Violation("doubled", f"the ledger accepted {finish}, the task is {task.final.document}", task)


def an_execution_is_an_attempt(history: History) -> Violations:
    """3. A model is run at most once per attempt; the attempt never decreases."""
    for run in runs_of(history):
        attempts = [sighting.document["attempt"] for sighting in run.task.sightings]
        if attempts != sorted(attempts):
            yield Violation("doubled", f"the attempt went {attempts}", run.task)
        if run.task.final and len(run.executions) > run.task.final.document["attempt"]:
            yield Violation("doubled", f"{len(run.executions)} executions, {attempts[-1]} attempts", run.task)


def an_attempt_has_a_cause(history: History) -> Violations:
    """3. A task is run again because something was done to a worker or the server meanwhile, and not otherwise."""
    for task, final in _finals(history):
        causes = sum(_may_cost_an_attempt(fault, task, final) for fault in history.faults)
        if task.asked.behave != "die" and final.document["attempt"] > 1 + causes:
            yield Violation("doubled", f"{final.document['attempt']} attempts, {causes} faults meanwhile", task)


def _may_cost_an_attempt(fault: Fault, task: Task, final: Sighting) -> bool:
    """Tell whether a fault of a worker's or the server's was going on while a task was under way."""
    theirs = fault.hinders or (bool(fault.pids) and not fault.everyone)
    return theirs and fault.struck < final.at and fault.harmless_from > task.began


def losses_are_limited(history: History) -> Violations:
    """3. A task costs at most MAX_ATTEMPTS workers their lives."""
    for id, count in Counter(history.losses).items():
        if count > history.setup.max_attempts:
            task = next((task for task in history.tasks if task.id == id), None)
            yield Violation("wrong", f"{id} was taken back from {count} dead workers", task)


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
        if seconds_without(history.pauses, found) > ANSWER_SECONDS and not any(
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
    if found.at_work != slots:
        yield Violation("slots", f"{found.at_work} of {slots} children took a task when there was one for each")
    if (found.ready.get("workers"), found.ready.get("slots")) != (setup.workers, slots):
        yield Violation("slots", f"/readyz says {found.ready}")
    if (found.queue.get("queued"), found.queue.get("running")) != (0, 0):
        yield Violation("slots", f"/models says {found.queue}")
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
    """6. What ran when a fault struck is final or runs again soon after the outage."""
    bound = history.setup.lease_seconds + RECOVERY_SECONDS
    for found in recoveries(history):
        if found.seconds > bound:
            kind, struck = found.fault.kind, found.fault.struck
            yield Violation("slow", f"recovered from '{kind}' at {struck:.3f} after {found.seconds:.1f} s", found.task)


INVARIANTS: tuple[Callable[[History], Violations], ...] = (
    every_task_becomes_final,
    a_final_state_is_final,
    a_result_is_its_inputs,
    an_outcome_is_allowed,
    a_cancellation_holds,
    one_attempt_publishes,
    an_execution_is_an_attempt,
    an_attempt_has_a_cause,
    losses_are_limited,
    what_was_accepted_is_known,
    answers_are_expected,
    no_request_hangs,
    no_slot_is_lost,
    nobody_ends_unasked,
    recovery_is_bounded,
)


def violations(history: History) -> list[Violation]:
    """Return everything that must not happen and did."""
    return [found for invariant in INVARIANTS for found in invariant(history)]


def _finals(history: History) -> Iterator[tuple[Task, Sighting]]:
    return ((task, task.final) for task in history.tasks if task.final is not None)


def _outcome(document: Document) -> tuple[str, str]:
    return document["status"], (document["error"] or {}).get("code", "")


def _says(document: Document, outcome: str, attempt: int) -> bool:
    status, code = _outcome(document)
    return outcome == (code or status) and attempt == document["attempt"]


def _last(task: Task) -> Document:
    return task.sightings[-1].document
