"""Tasks that are computed together: how a batch goes by itself, and what one of them does to the others. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.faults.observations import TOGETHER, Asked, Execution, Fault, Hand, History, Task

BREAKERS = {"die": "a batch died of one", "spin": "a batch ran too long for one"}
CANCELED = "a batch lost one to a cancellation"


@dataclass(frozen=True, slots=True)
class Course:
    """How an execution goes if nothing is done to it."""

    ends: Mapping[str, float]  # when it is over for each token that it comes to an end for
    broken: float | None = None  # when one of them takes the child with it, and all that have not ended by then
    behave: str = ""  # what that one was told to do

    def end(self, token: str) -> float:
        """Return when this token's part is over, one way or the other."""
        return self.ends.get(token, self.broken or 0.0)

    @property
    def over(self) -> float:
        return self.broken or max(self.ends.values())


def course(run: Execution, asked: Mapping[str, Asked], limit_seconds: float) -> Course:
    """Tell how an execution goes by itself: together; or, once one has raised, one by one in the same order."""
    members = [asked.get(token, Asked(token, 0.0)) for token in run.together or (run.token,)]
    ended = run.at + max(member.seconds for member in members)
    first = next((member.behave for member in members if member.behave != "succeed"), "succeed")
    if first in BREAKERS:
        return Course({}, run.at + limit_seconds if first == "spin" else ended, first)
    if first == "raise" and run.is_batch:
        return _one_by_one(members, ended, limit_seconds)
    return Course(dict.fromkeys([member.token for member in members], ended))


def _one_by_one(members: Iterable[Asked], began: float, limit_seconds: float) -> Course:
    ends: dict[str, float] = {}
    for member in members:
        if member.behave in BREAKERS:
            took = limit_seconds if member.behave == "spin" else member.seconds
            return Course(ends, began + took, member.behave)
        began += member.seconds
        ends[member.token] = began
    return Course(ends)


def resumes(run: Execution, before: Execution, asked: Mapping[str, Asked]) -> bool:
    """Tell whether an execution goes on with the attempt of the one before: its batch raised; now it has its turn."""
    raised = any(asked[token].behave == "raise" for token in before.together if token in asked)
    return before.is_batch and not run.is_batch and run.pid == before.pid and raised


def asked_by_token(history: History) -> dict[str, Asked]:
    return {task.asked.token: task.asked for task in history.tasks}


def batches(history: History) -> list[Execution]:
    """Return every batch that was computed, once."""
    return [run for run in history.executions if run.is_batch and run.token == run.together[0]]


def broken_off(history: History, dead: Mapping[int, float]) -> list[Fault]:
    """Return what the members of batches did to each other, as faults; `dead` tells which processes died before."""
    asked, canceled = asked_by_token(history), _cancellations(history)
    found = []
    for run in batches(history):
        fault = _broken_off(run, course(run, asked, history.setup.limit_seconds), canceled, history.faults)
        if fault and min(dead.get(run.pid, fault.struck), dead.get(run.parent, fault.struck)) >= fault.struck:
            found.append(fault)
    return found


def _broken_off(
    run: Execution, by_itself: Course, canceled: Mapping[str, tuple[float, float]], faults: Iterable[Fault]
) -> Fault | None:
    moments = [
        (max(run.at, asked_at), CANCELED)
        for began, asked_at in (canceled[token] for token in run.together if token in canceled)
        if began == run.at and asked_at < by_itself.over
    ]
    if by_itself.broken:
        moments.append((by_itself.broken, BREAKERS[by_itself.behave]))
    if not moments:
        return None
    at, kind = min(moments)
    at = _thawed(run.pid, at, faults)
    return Fault(kind, at, at, deadly=True, pids=frozenset({run.pid}))


def _cancellations(history: History) -> dict[str, tuple[float, float]]:
    """Return, by token, of what was canceled as it ran: when it last began, and when its client asked for the end.

    That is a little before it was canceled: the recovery of the others counts from a moment too early.
    """
    ended = {task.asked.token for task in history.tasks if task.final and task.final.document["status"] == "canceled"}
    began: dict[str, float] = {}
    for run in history.executions:
        began[run.token] = max(began.get(run.token, run.at), run.at)
    asked_at: dict[str, float] = {}
    for answer in history.answers:
        if answer.what == "cancel":
            asked_at.setdefault(answer.token, answer.began)
    return {token: (began[token], asked_at[token]) for token in ended & set(began) & set(asked_at)}


def _thawed(pid: int, instant: float, faults: Iterable[Fault]) -> float:
    """Return when a process that would do something at an instant did it, if it stood still then."""
    return max([instant, *(fault.ended for fault in faults if pid in fault.frozen and fault.struck <= instant)])


def hands_of(history: History) -> dict[str, list[tuple[int, Hand]]]:
    """Return, by task id, the hands that it was in, each with its token there, in the order of those."""
    found: dict[str, list[tuple[int, Hand]]] = {}
    for hand in history.hands:
        for id, token in hand.claims:
            found.setdefault(id, []).append((token, hand))
    return {id: sorted(hands, key=lambda each: each[0]) for id, hands in found.items()}


def breaks(task: Task, token: int) -> bool:
    """Tell whether a task takes those with it that are computed with this attempt of it, by itself or its client."""
    if task.asked.behave in BREAKERS:
        return True
    final = task.final.document if task.final else {}
    return final.get("status") == "canceled" and final.get("attempt") == token


def may_have_had_company(task: Task, hands: Iterable[tuple[int, Hand]]) -> bool:
    """Tell whether a task was in a batch, as far as can be told: an attempt may have been won and not heard of."""
    heard = dict(hands)
    won = max((sighting.document["attempt"] for sighting in task.sightings), default=0)
    return any(hand.is_batch for hand in heard.values()) or (task.asked.model == TOGETHER and len(heard) < won)
