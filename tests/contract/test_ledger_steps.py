"""What each step of the ledger promises beyond its transition: tokens, order, results, progress."""

from uuid import uuid4

import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.records import Claim
from shared.task import ErrorCode, Missing, Progress, Status, TaskError
from tests.contract.steps import KEPT_MS, LEASE_MS, abandon, claim, messages, read, release, submit, try_to_claim
from tests.waiting import eventually


def test_an_unknown_task_is_unknown(ledger: Ledger) -> None:
    id = str(uuid4())

    assert ledger.run(calls.read(id, "", KEPT_MS)) is Missing.UNKNOWN
    assert ledger.run(calls.cancel(id, "", KEPT_MS)) is Missing.UNKNOWN
    assert try_to_claim(ledger, id) is None
    assert not ledger.run(calls.decline(id))
    assert ledger.client.keys("*") == []


def test_many_are_read_in_one_step_each_as_it_would_be_alone(ledger: Ledger) -> None:
    queued, done, gone, anns = (submit(ledger, owner=owner) for owner in ("", "", "", "ann"))
    running = submit(ledger, model="echo")  # of another model: how long it runs is no part of what is queued
    claim(ledger, running)
    assert ledger.run(calls.succeed(claim(ledger, done), b"1", KEPT_MS))
    ledger.run(calls.forget(gone, "", KEPT_MS))
    asked = [(id, "") for id in (queued, str(uuid4()), gone, running, anns, done, queued)] + [(anns, "ann")]

    found = ledger.run(calls.read_each(asked, KEPT_MS))

    assert found == [ledger.run(calls.read(*each, KEPT_MS)) for each in asked]
    assert found[1:3] == [Missing.UNKNOWN, Missing.GONE]
    assert found[4] is Missing.UNKNOWN  # not theirs who asked


def test_submit_writes_record_place_and_message_together(ledger: Ledger) -> None:
    id = submit(ledger, input=b'{"wait_time": 3}')

    task = read(ledger, id)
    assert task.status is Status.QUEUED
    assert task.attempt == 0
    assert messages(ledger) == [id]
    assert claim(ledger, id).input == b'{"wait_time": 3}'


def test_the_same_id_submitted_twice_is_one_task(ledger: Ledger) -> None:
    id = submit(ledger)

    submit(ledger, id, input=b"other")

    assert read(ledger, id).status is Status.QUEUED
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

    first, second = (try_to_claim(ledger, id) for _ in range(2))

    assert first == Claim(id, 1, "wait", b"{}")
    assert second is None


def test_a_stale_token_changes_nothing(ledger: Ledger) -> None:
    id = submit(ledger)
    stale = claim(ledger, id, nonce="stale")
    assert release(ledger, "stale") == (id,)
    current = claim(ledger, id)
    was = read(ledger, id)

    assert not ledger.run(calls.progress(stale, Progress(0.5, "late")))
    assert not ledger.run(calls.succeed(stale, b"late", KEPT_MS))
    assert not ledger.run(calls.fail(id, stale.token, TaskError(ErrorCode.TIMEOUT, "late"), KEPT_MS))
    assert release(ledger, "stale") == ()
    assert abandon(ledger, "stale") == {}
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
    ledger.run(calls.cancel(canceled, "", KEPT_MS))
    before = ledger.client.zscore("penstock:leases:wait", kept)

    lost = ledger.run(calls.renew([(c.id, c.token) for c in held], 50_000))

    assert lost == {canceled}
    assert ledger.client.zscore("penstock:leases:wait", kept) > before + 40_000


def test_a_release_costs_no_attempt(ledger: Ledger) -> None:
    id = submit(ledger)
    for nonce in "abcde":
        claim(ledger, id, nonce=nonce)
        assert release(ledger, nonce) == (id,)

    task = read(ledger, id)
    assert (task.status, task.lost, task.attempt) == (Status.QUEUED, 0, 5)


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

        ledger.run(calls.cancel(id, "", KEPT_MS))

        message = eventually(lambda: pubsub.get_message(timeout=1))
    assert message["data"] == f"{id} {held.token}".encode()


def test_a_forgotten_script_is_sent_again(ledger: Ledger) -> None:
    ledger.client.script_flush()

    assert read(ledger, submit(ledger)).status is Status.QUEUED


def test_arguments_cannot_reach_into_the_scripts(ledger: Ledger) -> None:
    hostile = b"' .. redis.call('FLUSHALL') .. '\n\0\xff"

    id = submit(ledger, input=hostile)

    assert claim(ledger, id).input == hostile


def test_a_number_that_a_failover_handed_out_again_is_not_the_same_claim(ledger: Ledger) -> None:
    """A replica became the primary before it had heard of the latest claim: the next has the same number."""
    id = submit(ledger)
    unheard_of = {key: ledger.client.dump(key) for key in ledger.client.scan_iter()}
    stale = claim(ledger, id)
    ledger.client.flushall()
    for key, value in unheard_of.items():
        ledger.client.restore(key, 0, value)
    held = claim(ledger, id)
    assert stale.token == held.token

    assert not ledger.run(calls.progress(stale, Progress(0.5, "stale")))
    assert not ledger.run(calls.succeed(stale, b"stale", KEPT_MS))
    assert not ledger.run(calls.fail(id, stale.token, TaskError(ErrorCode.TIMEOUT, "late"), KEPT_MS, stale.nonce))
    assert ledger.run(calls.renew([(id, stale.token, stale.nonce)], LEASE_MS)) == {id}
    assert ledger.run(calls.renew([(id, held.token, held.nonce)], LEASE_MS)) == frozenset()
    for _ in range(2):  # the second time because the answer was lost
        assert ledger.run(calls.succeed(held, b"1", KEPT_MS))
        assert not ledger.run(calls.succeed(stale, b"1", KEPT_MS))
    assert read(ledger, id).result == b"1"
