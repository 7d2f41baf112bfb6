"""What the ledger counts: every event once, in the step in which it happens, whoever asks and however often."""

import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.counts import SIZES, TIMES_MS, ModelCounts
from shared.ledger.records import Admission, Claim, Wanted
from shared.queue import list_key
from shared.task import ErrorCode, TaskError
from tests.contract.steps import (
    EVERYTHING,
    KEPT_MS,
    abandon,
    claim,
    read,
    reap,
    release,
    submit,
    try_to_claim,
    try_to_submit,
    win,
)

MODEL_ERROR = TaskError(ErrorCode.MODEL_ERROR, "The model raised KeyError.")


def counted(ledger: Ledger, model: str = "wait") -> ModelCounts:
    return ledger.run(calls.count([model])).models[model]


def succeed(ledger: Ledger, won: Claim) -> None:
    assert ledger.run(calls.succeed(won, b"1", KEPT_MS))


def set_back(ledger: Ledger, id: str, name: str, ms: int) -> None:
    """Let an instant of a task be so much earlier."""
    key = f"penstock:task:{id}"
    value = ledger.client.hget(key, name)
    assert value is not None
    ledger.client.hset(key, name, int(value) - ms)


def test_nothing_has_happened_yet(ledger: Ledger) -> None:
    found = counted(ledger)

    assert (found.submitted, found.queued, found.running, found.oldest_queued_ms) == (0, 0, 0, 0)
    assert found.ended == {}
    assert found.slots == {}
    assert found.run_ms.buckets == (0,) * (len(TIMES_MS) + 1)


def test_every_ending_is_counted_with_its_status_and_its_code(ledger: Ledger) -> None:
    succeed(ledger, claim(ledger, submit(ledger)))
    failed = claim(ledger, submit(ledger))
    assert ledger.run(calls.fail(failed.id, failed.token, MODEL_ERROR, KEPT_MS))
    ledger.run(calls.cancel(submit(ledger), "", KEPT_MS))
    ledger.run(calls.cancel(claim(ledger, submit(ledger)).id, "", KEPT_MS))
    ledger.run(calls.forget(submit(ledger), "", KEPT_MS))
    submit(ledger, expires_in_ms=0)
    claim(ledger, submit(ledger), nonce="dead")
    abandon(ledger, "dead", max_attempts=1)
    reap(ledger)

    found = counted(ledger)
    assert found.ended == {
        ("succeeded", ""): 1,
        ("failed", "model_error"): 1,
        ("failed", "expired"): 1,
        ("failed", "worker_lost"): 1,
        ("canceled", ""): 3,
    }
    assert found.submitted == 7
    assert (found.claimed, found.lost, found.released) == (4, 1, 0)
    assert (found.queued, found.running) == (0, 0)


def test_what_is_said_again_is_counted_once(ledger: Ledger) -> None:
    id = submit(ledger)
    submit(ledger, id)
    won = claim(ledger, id, nonce="same")
    assert claim(ledger, id, nonce="same", again=True) == won
    succeed(ledger, won)
    succeed(ledger, won)
    ledger.run(calls.cancel(id, "", KEPT_MS))

    found = counted(ledger)
    assert (found.submitted, found.claimed) == (1, 1)
    assert found.ended == {("succeeded", ""): 1}


def test_what_is_refused_is_not_counted(ledger: Ledger) -> None:
    submit(ledger)
    try_to_submit(ledger, admission=Admission(max_queued=1, max_queued_of_owner=None))
    won = claim(ledger, submit(ledger), nonce="first")
    release(ledger, "first")
    assert not ledger.run(calls.succeed(won, b"late", KEPT_MS))

    found = counted(ledger)
    assert found.submitted == 2
    assert found.released == 1
    assert found.ended == {}


def test_counts_outlive_their_tasks(ledger: Ledger) -> None:
    won = claim(ledger, submit(ledger))
    succeed(ledger, won)
    ledger.run(calls.forget(won.id, "", KEPT_MS))

    assert counted(ledger).ended == {("succeeded", ""): 1}


@pytest.mark.parametrize("ms", [0, 1, 700, 2_600, 59_000, 3 * 86_400_000])
def test_times_fall_into_their_buckets(ledger: Ledger, ms: int) -> None:
    """Each is set back, and the test itself takes a moment, so it is the bucket of `ms` or, at its end, the next."""
    won = claim(ledger, submit(ledger))
    set_back(ledger, won.id, "created", 2 * ms)
    set_back(ledger, won.id, "started", ms)
    succeed(ledger, won)
    found = counted(ledger)

    for times, least in ((found.wait_ms, ms), (found.run_ms, ms), (found.whole_ms, 2 * ms)):
        bucket = times.buckets.index(1)
        assert least <= times.sum < least + 1_000
        assert sum(times.buckets) == 1
        assert bucket == 0 or TIMES_MS[bucket - 1] < times.sum
        assert bucket == len(TIMES_MS) or times.sum <= TIMES_MS[bucket]


def test_what_never_ran_did_not_wait_to_run(ledger: Ledger) -> None:
    ledger.run(calls.cancel(submit(ledger), "", KEPT_MS))
    found = counted(ledger)

    assert sum(found.whole_ms.buckets) == 1
    assert sum(found.wait_ms.buckets) == sum(found.run_ms.buckets) == 0


def test_a_retried_task_waits_from_its_retry_on(ledger: Ledger) -> None:
    id = submit(ledger)
    ledger.run(calls.cancel(id, "", KEPT_MS))
    set_back(ledger, id, "created", 3_600_000)
    ledger.run(calls.retry(id, "", EVERYTHING, KEPT_MS))

    assert counted(ledger).oldest_queued_ms < 60_000
    succeed(ledger, claim(ledger, id))
    found = counted(ledger)
    assert found.retried == 1
    assert found.wait_ms.sum < 60_000
    assert read(ledger, id).created_ms < read(ledger, id).finished_ms - 3_000_000  # its document tells all


def test_batches_are_counted_by_their_size(ledger: Ledger) -> None:
    for _ in range(5):
        submit(ledger)
    assert [len(win(ledger, wanted=(Wanted("wait", 4),)).claims) for _ in range(2)] == [4, 1]

    found = counted(ledger)
    assert dict(zip(SIZES, found.batch.buckets, strict=False)) == {**dict.fromkeys(SIZES, 0), 1: 1, 4: 1}
    assert found.batch.sum == found.claimed == 5


def test_a_model_that_does_not_batch_has_no_sizes(ledger: Ledger) -> None:
    claim(ledger, submit(ledger))

    assert sum(counted(ledger).batch.buckets) == 0


def test_the_oldest_that_waits_is_found_in_every_tier(ledger: Ledger) -> None:
    first, *_ = [submit(ledger, priority=priority) for priority in (0, 3, 3)]
    set_back(ledger, first, "created", 90_000)

    assert 90_000 <= counted(ledger).oldest_queued_ms < 150_000
    try_to_claim(ledger, first)
    assert counted(ledger).oldest_queued_ms < 60_000


def test_lost_messages_are_counted(ledger: Ledger) -> None:
    submit(ledger)
    ledger.client.delete(list_key("wait"))
    ledger.run(calls.announce("worker", {"wait": 1}, KEPT_MS))
    reap(ledger)

    assert counted(ledger).resent == 1


def test_workers_slots_and_loads_are_told(ledger: Ledger) -> None:
    ledger.run(calls.announce("one", {"wait": 2}, KEPT_MS))
    ledger.run(calls.announce("two", {"wait": 3, "other": 3}, KEPT_MS))
    ledger.run(calls.announce("dead", {"wait": 4}, 0))
    ledger.run(calls.loaded("wait", 1_500))

    found = counted(ledger)
    assert found.slots == {"one": 2, "two": 3}
    assert found.load_ms.sum == 1_500
    assert sum(found.load_ms.buckets) == 1
    assert counted(ledger, "other").slots == {"two": 3}
