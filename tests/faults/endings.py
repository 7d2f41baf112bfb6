"""Invariants 1 and 2: every task ends, for good, and as its input, its client and the faults allow. Pure."""

from tests.faults.batches import hands_of
from tests.faults.observations import Document, Fault, History, Task
from tests.faults.recovery import Run, runs_of
from tests.faults.violation import Violation, Violations, ended_as, finals
from tests.faults.workload import answer

SETTLED_SECONDS = 20.0  # beyond the lease: everything is final by then, after the last fault and the last submit
SCHEDULING_SECONDS = 0.5  # how far a limit and a clock of ours may be apart


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
    for task, final in finals(history):
        token, result = task.asked.token, final.document["result"]
        demanded = {"token": token, "answer": answer(token)} if final.document["status"] == "succeeded" else None
        if result != demanded:
            yield Violation("wrong", f"the result is {result}", task)


def an_outcome_is_allowed(history: History) -> Violations:
    """2. A task ends as its behaviour, its client and the faults allow."""
    hands = hands_of(history)
    for run in runs_of(history):
        if run.task.final is not None:
            status, code = ended_as(run.task.final.document)
            in_batches = sum(hand.is_batch for _, hand in hands.get(run.task.id, []))
            if code not in allowed(run, status, in_batches, history):
                yield Violation(
                    "wrong", f"a task that was told to {run.task.asked.behave} ended {status} {code}", run.task
                )


def allowed(run: Run, status: str, in_batches: int, history: History) -> set[str]:
    """Return the error codes with which a task may end in `status`; the empty one means none.

    `in_batches` of its attempts had company: who dies then costs it nothing.
    """
    asked, setup = run.task.asked, history.setup
    if status == "canceled":
        return {""} if run.task.cancels else set()
    if status == "succeeded":
        return {""} if asked.behave == "succeed" else set()
    codes = {"model_error"} if asked.behave == "raise" else set()
    if asked.behave == "spin" or asked.seconds + frozen_seconds(run, history.faults) > setup.limit_seconds:
        codes.add("timeout")
    if run.task.final and run.task.final.document["attempt"] - in_batches >= setup.max_attempts:
        codes.add("worker_lost")
    return codes


def frozen_seconds(run: Run, faults: list[Fault]) -> float:
    """Return how long the processes that ran a task stood still while it was under way."""
    pids = {execution.pid for execution in run.executions}
    return sum(fault.ended - fault.struck + SCHEDULING_SECONDS for fault in faults if fault.frozen & pids)


def a_cancellation_holds(history: History) -> Violations:
    """2. A client that was told 200 has canceled its task."""
    for task, final in finals(history):
        if 200 in task.cancels and final.document["status"] != "canceled":
            yield Violation("wrong", f"canceling it was answered 200, and it ended {ended_as(final.document)}", task)


def _last(task: Task) -> Document:
    return task.sightings[-1].document
