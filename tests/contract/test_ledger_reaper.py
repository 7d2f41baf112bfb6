"""What the reaper takes back and sends again, and what it leaves alone."""

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.records import ChildMemory
from shared.queue import list_key
from shared.task import ErrorCode, Status
from tests.contract.steps import KEPT_MS, LEASE_MS, claim, expire_lease, messages, read, reap, submit, try_to_claim
from tests.waiting import eventually


def test_an_expired_lease_puts_the_task_back_at_the_head_at_the_second_sighting(ledger: Ledger) -> None:
    id, behind = submit(ledger), submit(ledger)
    claim(ledger, id)
    ledger.client.rpop(list_key("wait"))  # as the worker that claimed it did
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

    assert try_to_claim(ledger, id) is None


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


def test_a_message_popped_and_never_claimed_is_sent_again_in_order(ledger: Ledger) -> None:
    ids = [submit(ledger) for _ in range(4)]
    ledger.run(calls.announce("worker", {"wait": 1}, LEASE_MS))
    for _ in range(2):
        ledger.client.rpop(list_key("wait"))

    assert reap(ledger) == {ids[0]: "resent", ids[1]: "resent"}

    assert messages(ledger) == ids
    assert reap(ledger) == {}


def test_all_messages_lost_are_all_sent_again(ledger: Ledger) -> None:
    ids = [submit(ledger) for _ in range(3)]
    ledger.run(calls.announce("worker", {"wait": 1}, LEASE_MS))
    ledger.client.delete(list_key("wait"))

    reap(ledger)

    assert messages(ledger) == ids


def test_a_message_claimed_between_the_sightings_is_not_sent_again(ledger: Ledger) -> None:
    id = submit(ledger)
    ledger.run(calls.announce("worker", {"wait": 1}, LEASE_MS))
    ledger.client.rpop(list_key("wait"))
    ledger.run(calls.reap(3, KEPT_MS, 0, 0))

    claim(ledger, id)

    assert ledger.run(calls.reap(3, KEPT_MS, 0, 0)) == ()
    assert messages(ledger) == []


def test_messages_that_lead_nowhere_are_dropped_when_they_come_to_the_head(ledger: Ledger) -> None:
    canceled, waiting = submit(ledger), submit(ledger)
    ledger.run(calls.announce("worker", {"wait": 1}, LEASE_MS))
    ledger.run(calls.cancel(canceled, "", KEPT_MS))

    assert reap(ledger) == {}

    assert messages(ledger) == [waiting]


def test_a_message_that_is_not_ours_is_left_alone(ledger: Ledger) -> None:
    submit(ledger)
    ledger.run(calls.announce("worker", {"wait": 1}, LEASE_MS))
    ledger.client.rpush(list_key("wait"), b"not JSON")

    assert reap(ledger) == {}
    assert ledger.client.llen(list_key("wait")) == 2


def test_workers_count_until_their_word_runs_out(ledger: Ledger) -> None:
    ledger.run(calls.announce("a", {"wait": 2, "digits": 2}, LEASE_MS))
    ledger.run(calls.announce("b", {"wait": 3}, LEASE_MS))
    id = submit(ledger)

    census = ledger.run(calls.census(["wait", "digits", "ocr"]))
    assert [(census[m].workers, census[m].slots) for m in ("wait", "digits", "ocr")] == [(2, 5), (1, 2), (0, 0)]
    queue = read(ledger, id).queue
    assert queue is not None
    assert (queue.outlook.workers, queue.outlook.slots) == (2, 5)

    ledger.run(calls.announce("a", {"wait": 0}, LEASE_MS))
    ledger.run(calls.announce("b", {"wait": 3}, 1))
    gone = eventually(lambda: ledger.run(calls.census(["wait"]))["wait"].workers == 0, within=2)
    assert gone
    ledger.run(calls.reap(3, KEPT_MS, 0, 0))
    assert ledger.client.hlen("penstock:slots:wait") == 0


def test_the_memory_of_children_is_told_for_as_long_as_their_worker_is_believed(ledger: Ledger) -> None:
    one, two, three = ChildMemory(300, 100), ChildMemory(301, 101), ChildMemory(2**40, 0)

    def told(model: str) -> tuple[ChildMemory, ...]:
        return ledger.run(calls.census([model]))[model].memory

    ledger.run(calls.announce("a", {"wait": 2, "digits": 2}, LEASE_MS, [one, two]))
    ledger.run(calls.announce("b", {"wait": 1}, 200, [three]))
    ledger.run(calls.announce("c", {"wait": 1}, LEASE_MS))  # has measured nothing
    assert sorted(told("wait"), key=lambda child: child.pss) == [one, two, three]
    assert told("digits") == (one, two)
    assert told("ocr") == ()

    eventually(lambda: len(told("wait")) == 2, within=2)
    ledger.run(calls.reap(3, KEPT_MS, 0, 0))
    assert ledger.client.hkeys("penstock:memory") == [b"a"]

    ledger.run(calls.announce("a", {"wait": 0, "digits": 0}, LEASE_MS, [one, two]))
    assert told("wait") == ()
    assert not ledger.client.exists("penstock:memory")


def test_a_worker_that_measures_no_more_takes_its_word_back(ledger: Ledger) -> None:
    ledger.run(calls.announce("a", {"wait": 1}, LEASE_MS, [ChildMemory(300, 100)]))
    ledger.run(calls.announce("a", {"wait": 1}, LEASE_MS))

    assert ledger.run(calls.census(["wait"]))["wait"].memory == ()
