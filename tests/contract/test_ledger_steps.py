"""What each step of the ledger promises beyond its transition: tokens, leases, order, messages, clocks."""

import json
from uuid import uuid4

import pytest

from shared.ledger import calls
from shared.ledger.calls import Claim
from shared.ledger.connection import Ledger
from shared.task import ErrorCode, Progress, Status, Task, TaskError
from tests.waiting import eventually

KEPT_MS = 60_000
LEASE_MS = 60_000


def submit(ledger: Ledger, model: str = "wait", input: bytes = b"{}") -> str:
    return ledger.run(calls.submit(str(uuid4()), model, input)).id


def claim(ledger: Ledger, id: str, lease_ms: int = LEASE_MS) -> Claim:
    won = ledger.run(calls.claim(id, "worker", lease_ms))
    assert won is not None
    return won


def read(ledger: Ledger, id: str) -> Task:
    task = ledger.run(calls.read(id))
    assert task is not None
    return task


def reap(ledger: Ledger, max_attempts: int = 3, sighting_ms: int = 0, missing_ms: int = 0) -> dict[str, str]:
    """Reap twice: the first sighting is only written down."""
    verdicts = []
    for _ in range(2):
        verdicts += ledger.run(calls.reap(max_attempts, KEPT_MS, sighting_ms, missing_ms))
    return {verdict.id: verdict.outcome for verdict in verdicts}


def messages(ledger: Ledger, model: str = "wait") -> list[str]:
    """The ids in Celery's queue, the next to be popped first."""
    return [json.loads(text)["headers"]["id"] for text in reversed(ledger.client.lrange(f"penstock.{model}", 0, -1))]


def expire_lease(ledger: Ledger, id: str, model: str = "wait") -> None:
    ledger.client.zadd(f"penstock:leases:{model}", {id: 1}, xx=True)


def test_an_unknown_task_is_none(ledger: Ledger) -> None:
    id = str(uuid4())

    assert ledger.run(calls.read(id)) is None
    assert ledger.run(calls.cancel(id, KEPT_MS)) is None
    assert ledger.run(calls.claim(id, "worker", LEASE_MS)) is None
    assert ledger.client.keys("*") == []


def test_submit_writes_record_place_and_message_together(ledger: Ledger) -> None:
    id = submit(ledger, input=b'{"wait_time": 3}')

    task = read(ledger, id)
    assert task.status is Status.QUEUED
    assert task.attempt == 0
    assert messages(ledger) == [id]
    assert claim(ledger, id).input == b'{"wait_time": 3}'


def test_the_same_id_submitted_twice_is_one_task(ledger: Ledger) -> None:
    id = submit(ledger)

    again = ledger.run(calls.submit(id, "wait", b"other"))

    assert again.status is Status.QUEUED
    assert messages(ledger) == [id]
    assert claim(ledger, id).input == b"{}"


def test_positions_count_from_one_and_move_up(ledger: Ledger) -> None:
    ids = [submit(ledger) for _ in range(3)]
    other = submit(ledger, model="digits")

    assert [read(ledger, id).queue.position for id in ids] == [1, 2, 3]  # type: ignore[union-attr]
    assert read(ledger, other).queue.position == 1  # type: ignore[union-attr]
    claim(ledger, ids[0])
    assert [read(ledger, id).queue.position for id in ids[1:]] == [1, 2]  # type: ignore[union-attr]
    assert read(ledger, ids[0]).queue is None


def test_messages_stand_in_the_order_of_submits(ledger: Ledger) -> None:
    ids = [submit(ledger) for _ in range(3)]

    assert messages(ledger) == ids


def test_a_task_is_claimed_once(ledger: Ledger) -> None:
    id = submit(ledger)

    first, second = (ledger.run(calls.claim(id, worker, LEASE_MS)) for worker in ("a", "b"))

    assert first == Claim(id, 1, "wait", b"{}")
    assert second is None


def test_a_stale_token_changes_nothing(ledger: Ledger) -> None:
    id = submit(ledger)
    stale = claim(ledger, id)
    assert ledger.run(calls.release(id, stale.token))
    current = claim(ledger, id)
    was = read(ledger, id)

    assert not ledger.run(calls.progress(stale, Progress(0.5, "late")))
    assert not ledger.run(calls.succeed(stale, b"late", KEPT_MS))
    assert not ledger.run(calls.fail(id, stale.token, TaskError(ErrorCode.TIMEOUT, "late"), KEPT_MS))
    assert not ledger.run(calls.release(id, stale.token))
    assert ledger.run(calls.abandon(id, stale.token, 3, KEPT_MS)) is None
    assert ledger.run(calls.renew([(id, stale.token)], LEASE_MS)) == {id}
    assert read(ledger, id) == was
    assert ledger.run(calls.succeed(current, b"1", KEPT_MS))


def test_a_result_is_kept_byte_for_byte_and_the_input_of_a_success_is_dropped(ledger: Ledger) -> None:
    id = submit(ledger)
    result = '{"text": "\\u00e9 é \\u0000", "n": 1.10}'.encode()

    assert ledger.run(calls.succeed(claim(ledger, id), result, KEPT_MS))

    assert read(ledger, id).result == result
    assert not ledger.client.hexists(f"penstock:task:{id}", "input")


def test_a_failure_tells_code_and_sentence_and_keeps_the_input_for_a_retry(ledger: Ledger) -> None:
    id = submit(ledger)
    error = TaskError(ErrorCode.MODEL_ERROR, "the image cannot be decoded")

    assert ledger.run(calls.fail(id, claim(ledger, id).token, error, KEPT_MS))

    assert read(ledger, id).error == error
    assert ledger.client.hexists(f"penstock:task:{id}", "input")


@pytest.mark.parametrize("progress", [Progress(0.25, "a quarter"), Progress(1.0, None), Progress(None, "é")])
def test_progress_is_seen_while_running_and_gone_after(ledger: Ledger, progress: Progress) -> None:
    id = submit(ledger)
    held = claim(ledger, id)

    assert ledger.run(calls.progress(held, progress))

    assert read(ledger, id).progress == progress
    ledger.run(calls.succeed(held, b"1", KEPT_MS))
    assert read(ledger, id).progress is None


def test_renewing_extends_the_leases_held_and_names_the_lost(ledger: Ledger) -> None:
    kept, canceled = submit(ledger), submit(ledger)
    held = [claim(ledger, id, lease_ms=1000) for id in (kept, canceled)]
    ledger.run(calls.cancel(canceled, KEPT_MS))
    before = ledger.client.zscore("penstock:leases:wait", kept)

    lost = ledger.run(calls.renew([(c.id, c.token) for c in held], 50_000))

    assert lost == {canceled}
    assert ledger.client.zscore("penstock:leases:wait", kept) > before + 40_000


def test_an_expired_lease_puts_the_task_back_at_the_head_at_the_second_sighting(ledger: Ledger) -> None:
    id, behind = submit(ledger), submit(ledger)
    claim(ledger, id)
    ledger.client.rpop("penstock.wait")  # as the worker that claimed it did
    expire_lease(ledger, id)

    assert ledger.run(calls.reap(3, KEPT_MS, 0, 60_000)) == ()
    assert read(ledger, id).status is Status.RUNNING
    assert [v.outcome for v in ledger.run(calls.reap(3, KEPT_MS, 0, 60_000))] == ["queued"]

    task = read(ledger, id)
    assert (task.status, task.attempt, task.lost) == (Status.QUEUED, 1, 1)
    assert task.started_ms is None
    assert task.queue is not None
    assert task.queue.position == 1
    assert messages(ledger) == [id, behind]
    assert claim(ledger, id).token == 2


def test_two_sightings_lie_apart(ledger: Ledger) -> None:
    id = submit(ledger)
    claim(ledger, id)
    expire_lease(ledger, id)

    assert reap(ledger, sighting_ms=60_000) == {}
    assert read(ledger, id).status is Status.RUNNING


def test_a_renewal_between_the_sightings_saves_the_claim(ledger: Ledger) -> None:
    """After Redis was away every lease looks expired; the workers are alive and renew."""
    id = submit(ledger)
    held = claim(ledger, id)
    expire_lease(ledger, id)
    ledger.run(calls.reap(3, KEPT_MS, 0, 0))

    assert ledger.run(calls.renew([(id, held.token)], LEASE_MS)) == frozenset()
    expire_lease(ledger, id)

    assert ledger.run(calls.reap(3, KEPT_MS, 0, 0)) == ()  # a first sighting again
    assert ledger.run(calls.succeed(held, b"1", KEPT_MS))


def test_a_running_task_with_an_expired_lease_is_not_claimed_past_the_reaper(ledger: Ledger) -> None:
    id = submit(ledger)
    claim(ledger, id)
    expire_lease(ledger, id)

    assert ledger.run(calls.claim(id, "other", LEASE_MS)) is None


def test_a_poison_task_fails_after_its_last_attempt(ledger: Ledger) -> None:
    id = submit(ledger)
    for _ in range(2):
        claim(ledger, id)
        expire_lease(ledger, id)
        outcome = reap(ledger, max_attempts=2)

    task = read(ledger, id)
    assert outcome == {id: "failed"}
    assert task.status is Status.FAILED
    assert task.error is not None
    assert task.error.code is ErrorCode.WORKER_LOST
    assert task.attempt == 2


def test_a_release_costs_no_attempt(ledger: Ledger) -> None:
    id = submit(ledger)
    for _ in range(5):
        assert ledger.run(calls.release(id, claim(ledger, id).token))

    task = read(ledger, id)
    assert (task.status, task.lost, task.attempt) == (Status.QUEUED, 0, 5)


def test_a_message_popped_and_never_claimed_is_sent_again_in_order(ledger: Ledger) -> None:
    ids = [submit(ledger) for _ in range(4)]
    ledger.run(calls.announce("worker", {"wait": 1}, LEASE_MS))
    for _ in range(2):
        ledger.client.rpop("penstock.wait")

    assert reap(ledger) == {ids[0]: "resent", ids[1]: "resent"}

    assert messages(ledger) == ids
    assert reap(ledger) == {}


def test_all_messages_lost_are_all_sent_again(ledger: Ledger) -> None:
    ids = [submit(ledger) for _ in range(3)]
    ledger.run(calls.announce("worker", {"wait": 1}, LEASE_MS))
    ledger.client.delete("penstock.wait")

    reap(ledger)

    assert messages(ledger) == ids


def test_a_message_claimed_between_the_sightings_is_not_sent_again(ledger: Ledger) -> None:
    id = submit(ledger)
    ledger.run(calls.announce("worker", {"wait": 1}, LEASE_MS))
    ledger.client.rpop("penstock.wait")
    ledger.run(calls.reap(3, KEPT_MS, 0, 0))

    claim(ledger, id)

    assert ledger.run(calls.reap(3, KEPT_MS, 0, 0)) == ()
    assert messages(ledger) == []


def test_messages_that_lead_nowhere_are_dropped_when_they_come_to_the_head(ledger: Ledger) -> None:
    canceled, waiting = submit(ledger), submit(ledger)
    ledger.run(calls.announce("worker", {"wait": 1}, LEASE_MS))
    ledger.run(calls.cancel(canceled, KEPT_MS))

    assert reap(ledger) == {}

    assert messages(ledger) == [waiting]


def test_a_message_that_is_not_ours_is_left_alone(ledger: Ledger) -> None:
    submit(ledger)
    ledger.run(calls.announce("worker", {"wait": 1}, LEASE_MS))
    ledger.client.rpush("penstock.wait", b"not JSON")

    assert reap(ledger) == {}
    assert ledger.client.llen("penstock.wait") == 2


def test_workers_count_until_their_word_runs_out(ledger: Ledger) -> None:
    ledger.run(calls.announce("a", {"wait": 2, "digits": 2}, LEASE_MS))
    ledger.run(calls.announce("b", {"wait": 3}, LEASE_MS))
    id = submit(ledger)

    census = ledger.run(calls.census(["wait", "digits", "ocr"]))
    assert [(census[m].workers, census[m].slots) for m in ("wait", "digits", "ocr")] == [(2, 5), (1, 2), (0, 0)]
    queue = read(ledger, id).queue
    assert queue is not None
    assert (queue.workers, queue.slots) == (2, 5)

    ledger.run(calls.announce("a", {"wait": 0}, LEASE_MS))
    ledger.run(calls.announce("b", {"wait": 3}, 1))
    gone = eventually(lambda: ledger.run(calls.census(["wait"]))["wait"].workers == 0, within=2)
    assert gone
    ledger.run(calls.reap(3, KEPT_MS, 0, 0))
    assert ledger.client.hlen("penstock:slots:wait") == 0


def test_the_typical_run_time_is_the_median_of_the_latest_successes(ledger: Ledger) -> None:
    for ms in (10, 1000, 30, 20, 40):
        ledger.client.lpush("penstock:runtimes:wait", ms)

    assert ledger.run(calls.census(["wait"]))["wait"].typical_run_ms == 30


def test_a_cancellation_tells_the_worker_which_attempt(ledger: Ledger) -> None:
    id = submit(ledger)
    held = claim(ledger, id)
    with ledger.client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("penstock:worker:worker")
        pubsub.get_message(timeout=1)

        ledger.run(calls.cancel(id, KEPT_MS))

        message = eventually(lambda: pubsub.get_message(timeout=1))
    assert message["data"] == f"{id} {held.token}".encode()


def test_a_forgotten_script_is_sent_again(ledger: Ledger) -> None:
    ledger.client.script_flush()

    assert read(ledger, submit(ledger)).status is Status.QUEUED


def test_arguments_cannot_reach_into_the_scripts(ledger: Ledger) -> None:
    hostile = b"' .. redis.call('FLUSHALL') .. '\n\0\xff"

    id = submit(ledger, input=hostile)

    assert claim(ledger, id).input == hostile
