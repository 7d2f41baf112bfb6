"""Invariant 3: an attempt is won, computed and published once, and each beyond the first has a cause. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from tests.faults.batches import batches, breaks, hands_of, may_have_had_company
from tests.faults.observations import Document, Fault, Hand, History, Loss, Sighting, Task
from tests.faults.recovery import runs_of
from tests.faults.violation import Violation, Violations, ended_as, finals, tasks_by_id


def one_attempt_publishes(history: History) -> Violations:
    """3. At most one finish was accepted, and the task is what that one said."""
    by_id = tasks_by_id(history)
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
    by_id, by_token = tasks_by_id(history), {task.asked.token: task for task in history.tasks}
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
    hands, by_id = hands_of(history), tasks_by_id(history)
    for task, final in finals(history):
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
    hands, by_id = hands_of(history), tasks_by_id(history)
    for id, count in Counter(loss.id for loss in history.losses).items():
        task = by_id.get(id)
        if count > history.setup.max_attempts + bool(task and may_have_had_company(task, hands.get(id, []))):
            yield Violation("wrong", f"{id} was taken back from {count} dead workers", task)


def who_died_in_a_batch_is_alone(history: History) -> Violations:
    """3. A task whose batch died, or ran too long, is not computed with others again."""
    hands, by_id = hands_of(history), tasks_by_id(history)
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


def _says(document: Document, outcome: str, attempt: int) -> bool:
    status, code = ended_as(document)
    return outcome == (code or status) and attempt == document["attempt"]
