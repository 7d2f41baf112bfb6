"""What must hold whatever is done to the system. Pure: each is a function of what was observed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.faults.batches import batches, breaks, hands_of, may_have_had_company
from tests.faults.line import next_since
from tests.faults.observations import MODELS, Document, Fault, Hand, History, Loss, Sighting, Task
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
    hands = hands_of(history)
    for run in runs_of(history):
        if run.task.final is not None:
            status, code = _outcome(run.task.final.document)
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
    for task, final in _finals(history):
        if 200 in task.cancels and final.document["status"] != "canceled":
            yield Violation("wrong", f"canceling it was answered 200, and it ended {_outcome(final.document)}", task)


def one_attempt_publishes(history: History) -> Violations:
    """3. At most one finish was accepted, and the task is what that one said."""
    by_id = _by_id(history)
    accepted = [finish for finish in history.finishes if finish.accepted]
    for id, count in Counter(finish.id for finish in accepted).items():
        if count > 1:
            yield Violation("doubled", f"{count} finishes of {id} were accepted", by_id.get(id))
    for finish in accepted:
        task = by_id.get(finish.id)
        if task and task.final and not _says(task.final.document, finish.outcome, finish.attempt):
            yield Violation("doubled", f"the ledger accepted {finish}, the task is {task.final.document}", task)


def an_execution_is_an_attempt(history: History) -> Violations:
    """3. A model is run at most once per attempt, and alone after a batch that raises; the attempt never decreases."""
    for run in runs_of(history):
        attempts = [sighting.document["attempt"] for sighting in run.task.sightings]
        if attempts != sorted(attempts):
            yield Violation("doubled", f"the attempt went {attempts}", run.task)
        if run.task.final and len(run.executions) > run.task.final.document["attempt"]:
            yield Violation("doubled", f"{len(run.executions)} executions, {attempts[-1]} attempts", run.task)


def what_is_computed_was_claimed(history: History) -> Violations:
    """3. An attempt is won by one child, once; what is computed together was won together by the same child."""
    by_id, by_token = _by_id(history), {task.asked.token: task for task in history.tasks}
    for (id, token), count in Counter(claim for hand in history.hands for claim in hand.claims).items():
        if count > 1:
            yield Violation("doubled", f"attempt {token} of {id} was won {count} times", by_id.get(id))
    won = {(hand.pid, id) for hand in history.hands for id, _ in hand.claims}
    for run in history.executions:
        task = by_token.get(run.token)
        if task and (run.pid, task.id) not in won:
            yield Violation("doubled", f"{run} of what was not won", task)
    together = {(hand.pid, tuple(id for id, _ in hand.claims)) for hand in history.hands}
    for run in batches(history):
        members = [by_token.get(token) for token in run.together]
        if None not in members and (run.pid, tuple(task.id for task in members)) not in together:
            yield Violation("doubled", f"{run} of what was not won together", members[0])
        if len(members) > history.setup.most_together:
            yield Violation("wrong", f"{len(members)} were computed together", members[0])


def an_attempt_has_a_cause(history: History) -> Violations:
    """3. A task is run again because of what was done to a worker or the server meanwhile, or by who was in its batch.

    One that kills its workers has as many attempts more as it may cost.
    """
    hands, by_id = hands_of(history), _by_id(history)
    for task, final in _finals(history):
        causes = sum(_may_cost_an_attempt(fault, task, final) for fault in history.faults)
        broken = sum(_is_broken(hand, by_id) for _, hand in hands.get(task.id, []))
        most = (history.setup.max_attempts if task.asked.behave == "die" else 1) + causes + broken
        if final.document["attempt"] > most:
            sentence = f"{final.document['attempt']} attempts, {causes} faults meanwhile, {broken} batches broken off"
            yield Violation("doubled", sentence, task)


def _is_broken(hand: Hand, by_id: Mapping[str, Task]) -> bool:
    """Tell whether one of a batch broke it off for all of them."""
    return hand.is_batch and any(breaks(by_id[id], token) for id, token in hand.claims if id in by_id)


def _may_cost_an_attempt(fault: Fault, task: Task, final: Sighting) -> bool:
    """Tell whether a fault of a worker's or the server's was going on while a task was under way."""
    theirs = fault.hinders or (bool(fault.pids) and not fault.everyone)
    return theirs and fault.struck < final.at and fault.harmless_from > task.began


def losses_are_limited(history: History) -> Violations:
    """3. A task costs at most MAX_ATTEMPTS workers their lives, and one more if it was in a batch: then it is alone."""
    hands, by_id = hands_of(history), _by_id(history)
    for id, count in Counter(loss.id for loss in history.losses).items():
        task = by_id.get(id)
        if count > history.setup.max_attempts + bool(task and may_have_had_company(task, hands.get(id, []))):
            yield Violation("wrong", f"{id} was taken back from {count} dead workers", task)


def who_died_in_a_batch_is_alone(history: History) -> Violations:
    """3. A task whose batch died, or ran too long, is not computed with others again."""
    hands, by_id = hands_of(history), _by_id(history)
    for id, pid in {*_lost(history.losses), *_overrun(history)}:
        its = hands.get(id, [])
        last = max((token for token, hand in its if hand.pid == pid), default=0)
        if any(hand.is_batch for token, hand in its if token == last) and any(
            hand.is_batch for token, hand in its if token > last
        ):
            yield Violation("wrong", f"{id} was in a batch again after that of process {pid}", by_id.get(id))


def _lost(losses: Iterable[Loss]) -> Iterator[tuple[str, int]]:
    """Yield id and child of what was taken back from a child that is known: not so where a lease has ended."""
    return ((loss.id, loss.pid) for loss in losses if loss.pid)


def _overrun(history: History) -> Iterator[tuple[str, int]]:
    """Yield id and child of what a child still held when it was killed for being too slow."""
    for overrun in history.overruns:
        for hand in history.hands:
            ids = [id for id, _ in hand.claims]
            if hand.pid == overrun.pid and overrun.first in ids:
                yield from ((id, hand.pid) for id in ids[ids.index(overrun.first) :])


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


INVARIANTS: tuple[Callable[[History], Violations], ...] = (
    every_task_becomes_final,
    a_final_state_is_final,
    a_result_is_its_inputs,
    an_outcome_is_allowed,
    a_cancellation_holds,
    one_attempt_publishes,
    an_execution_is_an_attempt,
    what_is_computed_was_claimed,
    an_attempt_has_a_cause,
    losses_are_limited,
    who_died_in_a_batch_is_alone,
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


def _by_id(history: History) -> dict[str, Task]:
    return {task.id: task for task in history.tasks}


def _finals(history: History) -> Iterator[tuple[Task, Sighting]]:
    return ((task, task.final) for task in history.tasks if task.final is not None)


def _outcome(document: Document) -> tuple[str, str]:
    return document["status"], (document["error"] or {}).get("code", "")


def _says(document: Document, outcome: str, attempt: int) -> bool:
    status, code = _outcome(document)
    return outcome == (code or status) and attempt == document["attempt"]


def _last(task: Task) -> Document:
    return task.sightings[-1].document
