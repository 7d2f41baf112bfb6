"""From when a recovery counts, until when, and whose it is."""

from dataclasses import replace

import pytest

from tests.faults.batches import Course, course, resumes
from tests.faults.observations import Asked, Execution, Fault, History, Setup, Task
from tests.faults.recovery import recoveries

KILLED = Fault("child killed", 101.0, 101.0, deadly=True, pids=frozenset({11}))


def history(*faults: Fault, asked: Asked | None = None, final: float = 110.0, again: float | None = None) -> History:
    """A task that runs from 100 on in process 11 of worker 10, perhaps again in 21 of 20, and is final in the end."""
    task = Task(asked or Asked("a", seconds=2.0), "id", accepted=100.0)
    task.see(100.0, {"status": "running"})
    task.see(final, {"status": "succeeded"})
    runs = [Execution("a", 11, 10, 100.0)] + ([Execution("a", 21, 20, again)] if again else [])
    return History(setup=Setup(), tasks=[task], executions=runs, faults=list(faults))


def seconds(*faults: Fault, **more: object) -> list[float]:
    return [pytest.approx(recovery.seconds) for recovery in recoveries(history(*faults, **more))]


def batch(*members: Asked, again: float, fault: Fault | None = None) -> list[tuple[str, str, float]]:
    """The recoveries of the first of these tasks, which run together from 100 on; it runs once more from `again` on."""
    tasks = [Task(asked, asked.token, accepted=100.0) for asked in members]
    for task in tasks:
        task.see(100.0, {"status": "running"})
        task.see(120.0, {"status": "succeeded"})
    together = tuple(asked.token for asked in members)
    runs = [Execution(token, 11, 10, 100.0, together) for token in together]
    runs.append(Execution(together[0], 21, 20, again, together[:1]))
    found = recoveries(History(setup=Setup(), tasks=tasks, executions=runs, faults=[fault] if fault else []))
    return [(each.fault.kind, each.task.id, round(each.seconds, 3)) for each in found if each.task is tasks[0]]


def test_a_killed_childs_task_has_recovered_when_it_runs_again() -> None:
    assert seconds(KILLED, again=103.5) == [2.5]


def test_the_worker_of_the_child_counts_as_its_process() -> None:
    assert seconds(Fault("worker killed", 101.0, 101.0, deadly=True, pids=frozenset({10})), again=104.0) == [3.0]


def test_a_fault_elsewhere_hits_nothing() -> None:
    assert seconds(Fault("child killed", 101.0, 101.0, deadly=True, pids=frozenset({12})), again=103.5) == []


def test_a_fault_after_the_end_hits_nothing() -> None:
    assert seconds(KILLED, final=100.9) == []


def test_an_outage_counts_from_its_end_and_beyond_the_tasks_own_time() -> None:
    outage = Fault("server frozen", 101.0, 101.5, everyone=True)
    assert seconds(outage, final=102.3) == [0.3]  # 2 s of its own from 100 on
    assert seconds(outage, final=101.9) == [0.0]


def test_a_task_that_overruns_is_due_at_its_limit() -> None:
    spin = Asked("a", 0.0, behave="spin")
    assert seconds(Fault("connection cut", 101.0, 101.0, everyone=True), asked=spin, final=106.2) == [0.2]


def test_a_task_that_was_to_start_is_hit_by_its_id() -> None:
    lost = Fault("message lost", 99.9, 99.9, tasks=frozenset({"id"}))
    assert seconds(lost) == [0.1]


def test_a_task_that_no_longer_ran_is_not_hit_by_what_hits_everyone() -> None:
    late = Fault("connection cut", 102.0, 102.0, everyone=True)
    assert [found.fault.kind for found in recoveries(history(KILLED, late, again=104.0))] == ["child killed"]


def test_the_clock_starts_again_after_an_outage_in_the_way() -> None:
    away = Fault("server killed", 101.5, 103.0, hinders=True)
    assert seconds(KILLED, away, again=104.0) == [1.0]


def test_the_clock_starts_again_when_the_task_is_hit_again() -> None:
    crash = Fault("crash in a child", 101.2, 101.2, deadly=True, pids=frozenset({12}), tasks=frozenset({"id"}))
    assert seconds(KILLED, crash, again=104.0) == [2.8, 2.8]


def test_an_outage_after_the_recovery_is_not_in_its_way() -> None:
    away = Fault("server killed", 104.5, 106.0, hinders=True)
    assert seconds(KILLED, away, again=104.0) == [3.0]


@pytest.mark.parametrize(("behave", "ends"), [("die", 102.0), ("spin", 106.0)])
def test_a_neighbour_breaks_off_a_batch_when_the_longest_is_over_or_at_the_limit(behave: str, ends: float) -> None:
    found = batch(Asked("a", 2.0), Asked("b", 0.5, behave=behave), again=ends + 1.5)
    assert [(id, seconds) for _, id, seconds in found] == [("a", 1.5)]


def test_a_child_that_stood_still_broke_its_batch_off_when_it_went_on() -> None:
    frozen = Fault("child frozen", 101.0, 103.0, pids=frozenset({11}), frozen=frozenset({11}))
    found = batch(Asked("a", 2.0), Asked("b", 0.5, behave="die"), again=104.5, fault=frozen)
    assert {seconds for _, _, seconds in found} == {1.5}


def test_a_child_that_was_killed_before_broke_nothing_off() -> None:
    found = batch(Asked("a", 2.0), Asked("b", 0.5, behave="die"), again=104.5, fault=KILLED)
    assert found == [("child killed", "a", 3.5)]


def test_after_a_batch_that_raised_each_is_due_when_its_turn_is_over() -> None:
    members = [Asked("b", 0.5, behave="raise"), Asked("a", 2.0), Asked("c", 1.0)]
    tasks = {asked.token: asked for asked in members}
    run = Execution("a", 11, 10, 100.0, ("b", "a", "c"))
    assert course(run, tasks, 6.0).ends == {"b": 102.5, "a": 104.5, "c": 105.5}
    assert course(run, {**tasks, "a": Asked("a", 1.0, behave="die")}, 6.0) == Course({"b": 101.5}, 102.5, "die")
    assert course(run, {**tasks, "a": Asked("a", 1.0, behave="spin")}, 6.0) == Course({"b": 101.5}, 107.5, "spin")


def test_the_first_that_misbehaves_decides_how_a_batch_goes() -> None:
    members = {"a": Asked("a", 2.0, behave="die"), "b": Asked("b", 0.5, behave="raise")}
    assert course(Execution("a", 11, 10, 100.0, ("a", "b")), members, 6.0) == Course({}, 102.0, "die")


def test_a_turn_after_a_batch_that_raised_is_no_execution_of_its_own() -> None:
    members = {"a": Asked("a", 2.0), "b": Asked("b", 0.5, behave="raise")}
    first, turn = Execution("a", 11, 10, 100.0, ("a", "b")), Execution("a", 11, 10, 102.0, ("a",))
    assert resumes(turn, first, members)
    assert not resumes(replace(turn, pid=12), first, members)
    assert not resumes(replace(turn, together=("a", "b")), first, members)
    assert not resumes(turn, first, {**members, "b": Asked("b", 0.5)})
