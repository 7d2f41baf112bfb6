import os
import random
import signal
import time
from collections import Counter
from uuid import uuid4

import pytest

from tests.waiting import eventually
from worker.slots import Slots, State


def test_a_new_slot_is_absent() -> None:
    assert [view.state for view in Slots(2).look_all()] == [State.ABSENT, State.ABSENT]


def test_what_is_written_is_seen() -> None:
    slots, task, other, nonce, next_nonce = Slots(2, 3), *(str(uuid4()) for _ in range(4))
    attempts = ((task, 7), (other, 1), (task, 2**40))

    slots.write(1, State.BUSY, attempts=attempts, computing=2, nonce=nonce, next_nonce=next_nonce, limit=2.5)

    view = slots.look(1)
    assert view is not None
    assert (view.index, view.state, view.pid) == (1, State.BUSY, os.getpid())
    assert (view.attempts, view.computing, view.limit) == (attempts, 2, 2.5)
    assert view.nonces == (nonce, next_nonce)
    assert view.culprit() is None
    assert slots.look(0).state is State.ABSENT  # type: ignore[union-attr]


def test_a_task_that_is_being_claimed_is_seen_and_not_yet_held() -> None:
    slots, task, nonce = Slots(1), str(uuid4()), str(uuid4())

    slots.write(0, State.CLAIMING, hint=task, nonce=nonce)

    view = slots.look(0)
    assert view is not None
    assert (view.state, view.hint, view.nonces, view.attempts) == (State.CLAIMING, task, (nonce,), ())
    assert not view.is_overdue(view.since + 3600)


def test_a_child_writes_what_its_parent_reads() -> None:
    slots = Slots(1)
    pid = os.fork()
    if pid == 0:
        slots.write(0, State.IDLE)
        os._exit(0)
    os.waitpid(pid, 0)

    view = slots.look(0)

    assert view is not None
    assert (view.state, view.pid) == (State.IDLE, pid)


def test_a_reason_is_cut_to_its_room_without_breaking() -> None:
    slots = Slots(1)

    slots.write(0, State.BROKEN, reason="é" * 1000)

    reason = slots.look(0).reason  # type: ignore[union-attr]
    assert reason.startswith("é" * 100)


def test_a_write_that_was_not_completed_leaves_what_was_said_before_and_the_next_child_goes_on() -> None:
    slots, task = Slots(1), str(uuid4())
    for n in range(4):  # whichever of the two records the writer was about to fill
        slots.write(0, State.BUSY, attempts=[(task, n)], limit=1)
        start, sequence = slots._start(0), slots._sequence(0)
        other = slots._record(start, sequence + 1)

        slots._memory[other : other + 100] = b"\xff" * 100  # its writer was killed here

        view = slots.look(0)
        assert view is not None
        assert view.attempts == ((task, n),)
    slots.write(0, State.LOADING)
    assert slots.look(0).state is State.LOADING  # type: ignore[union-attr]


def test_a_child_killed_at_any_instant_leaves_one_of_the_two_states_it_was_writing() -> None:
    slots, task = Slots(2), str(uuid4())
    seen: Counter[State] = Counter()
    for _ in range(150):
        slots.write(1, State.LOADING)
        pid = os.fork()
        if pid == 0:
            while True:
                slots.write(1, State.BUSY, attempts=[(task, 7)], limit=2.5)
                slots.write(1, State.IDLE)
        # A child that does nothing but write may overtake every look of one call, which then sees nothing.
        eventually(lambda pid=pid: (view := slots.look(1)) is not None and view.pid == pid, every=0)
        time.sleep(random.uniform(0, 0.002))  # the instant is the point
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

        view = slots.look(1)

        assert view is not None
        assert view.pid == pid
        assert view.state in (State.BUSY, State.IDLE)
        expected = (((task, 7),), 2.5) if view.state is State.BUSY else ((), 0)
        assert (view.attempts, view.limit) == expected
        seen[view.state] += 1
    assert len(seen) == 2
    assert slots.look(0).state is State.ABSENT  # type: ignore[union-attr]


def test_every_process_sees_that_the_worker_drains() -> None:
    slots = Slots(2)
    slots.write(0, State.IDLE)
    pid = os.fork()
    if pid == 0:
        while not slots.draining:
            time.sleep(0.001)
        slots.write(1, State.IDLE)
        os._exit(0)
    assert not slots.draining

    slots.drain()

    os.waitpid(pid, 0)
    assert slots.draining
    assert [view.state for view in slots.look_all()] == [State.IDLE, State.IDLE]


def test_there_is_no_slot_beyond_the_last() -> None:
    with pytest.raises(IndexError):
        Slots(2).look(2)


@pytest.mark.parametrize(
    ("state", "age", "overdue"), [(State.BUSY, 3.1, True), (State.BUSY, 2.9, False), (State.IDLE, 9, False)]
)
def test_a_busy_child_is_overdue_after_its_limit(state: State, age: float, overdue: bool) -> None:
    slots = Slots(1)
    slots.write(0, state, attempts=[(str(uuid4()), 1)], limit=3)
    view = slots.look(0)
    assert view is not None

    assert view.is_overdue(view.since + age) is overdue


def test_views_are_never_torn_while_a_child_writes() -> None:
    """Tasks and tokens always belong together, however fast they change."""
    slots = Slots(1, 3)
    tasks = [str(uuid4()) for _ in range(4)]
    pid = os.fork()
    if pid == 0:
        for n in range(10**9):
            slots.write(0, State.BUSY, attempts=[(tasks[n % 4], n % 4)] * (n % 4))
    try:
        seen = set()
        while len(seen) < 4:
            view = slots.look(0)
            if view is not None and view.state is State.BUSY:
                count = len(view.attempts)
                assert view.attempts == ((tasks[count], count),) * count
                seen.add(count)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
