"""What the ledger says when an operator looks: what waits and how long, who is announced, what is stuck."""

from shared.ledger import calls
from shared.ledger.checkup import Checkup, ModelState, OutboxState
from shared.ledger.connection import Ledger
from shared.ledger.records import Wanted
from tests.contract.steps import KEPT_MS, LEASE_MS, claim, expire_lease, fail, retry, submit, win
from tests.waiting import eventually


def look(ledger: Ledger) -> Checkup:
    return ledger.run(calls.checkup())


def model(ledger: Ledger, name: str = "wait") -> ModelState:
    (found,) = (state for state in look(ledger).models if state.name == name)
    return found


def announce(
    ledger: Ledger, worker: str = "worker", slots: int = 2, shape: str = "", believed_ms: int = LEASE_MS
) -> None:
    ledger.run(calls.announce(worker, {"wait": slots}, believed_ms, shapes={"wait": shape} if shape else {}))


def test_of_an_empty_ledger_there_is_nothing_to_say(ledger: Ledger) -> None:
    found = look(ledger)

    assert (found.models, found.outbox) == ((), OutboxState(0, 0, 0))
    seconds, microseconds = ledger.client.time()
    assert 0 <= seconds * 1000 + microseconds // 1000 - found.now_ms < 60_000


def test_it_changes_nothing(ledger: Ledger) -> None:
    announce(ledger, believed_ms=1)  # a worker that is dead, which a reaper would forget
    submit(ledger)
    before = {key: ledger.client.dump(key) for key in ledger.client.keys("*")}

    look(ledger)

    assert {key: ledger.client.dump(key) for key in ledger.client.keys("*")} == before


def test_the_oldest_of_any_tier_tells_how_long_tasks_wait(ledger: Ledger) -> None:
    first = submit(ledger, priority=0)
    urgent = submit(ledger, priority=3)
    ledger.client.hincrby(f"penstock:task:{first}", "created", -50_000)
    ledger.client.hincrby(f"penstock:task:{urgent}", "created", -20_000)

    assert model(ledger).queued == 2
    assert 50_000 <= model(ledger).oldest_ms < 80_000
    claim(ledger, first)
    assert 20_000 <= model(ledger).oldest_ms < 50_000
    claim(ledger, urgent)
    assert (model(ledger).queued, model(ledger).running, model(ledger).oldest_ms) == (0, 2, 0)


def test_workers_say_how_many_of_their_children_are_at_work(ledger: Ledger) -> None:
    announce(ledger, slots=3, shape="abc")
    announce(ledger, "other", slots=1)
    for _ in range(3):
        submit(ledger)
    submit(ledger, model="digits")
    assert len(win(ledger, wanted=()).claims) == 0
    claim(ledger, submit(ledger, model="digits"))  # the same children run it

    assert model(ledger).free == 3
    claim(ledger, submit(ledger))
    one, other = sorted(model(ledger).workers, key=lambda worker: worker.slots, reverse=True)
    assert (one.name, one.slots, one.busy, one.shape, one.free) == ("worker", 3, 2, "abc", 1)
    assert (other.name, other.slots, other.busy, other.shape) == ("other", 1, 0, "")


def test_a_batch_keeps_one_child_busy(ledger: Ledger) -> None:

    announce(ledger, slots=2)
    for _ in range(4):
        submit(ledger)
    assert len(win(ledger, wanted=(Wanted("wait", most=4),)).claims) == 4

    assert (model(ledger).running, model(ledger).free) == (4, 1)


def test_a_worker_that_leaves_or_dies_is_not_announced_and_its_shape_is_forgotten(ledger: Ledger) -> None:
    announce(ledger, "leaves", shape="a")
    announce(ledger, "dies", shape="b", believed_ms=1)
    assert ledger.client.hgetall("penstock:shapes:wait") == {b"leaves": b"a", b"dies": b"b"}
    eventually(lambda: [worker.name for worker in model(ledger).workers] == ["leaves"])

    announce(ledger, "leaves", slots=0, shape="a")
    ledger.run(calls.reap(3, KEPT_MS, 0, 0))

    assert model(ledger).workers == ()
    assert not ledger.client.exists("penstock:shapes:wait")


def test_a_lease_that_nobody_reaps_is_seen(ledger: Ledger) -> None:
    held, lost = submit(ledger), submit(ledger)
    claim(ledger, held)
    claim(ledger, lost)
    assert (model(ledger).expired, model(ledger).expired_ms) == (0, 0)

    expire_lease(ledger, lost)

    assert model(ledger).expired == 1
    assert model(ledger).expired_ms > 1_000_000


def test_callbacks_that_nobody_collects_are_seen(ledger: Ledger) -> None:
    fail(ledger, submit(ledger, callback="http://receiver/"))
    assert look(ledger).outbox.waiting == 1
    ledger.client.zincrby("penstock:outbox", -30_000, ledger.client.zrange("penstock:outbox", 0, 0)[0])
    assert 30_000 <= look(ledger).outbox.overdue_ms < 60_000

    ledger.run(calls.collect(10, 60_000))

    assert look(ledger).outbox == OutboxState(1, 0, 1)


def test_a_retry_begins_to_wait_anew_once_that_is_written_down(ledger: Ledger) -> None:
    id = submit(ledger)
    fail(ledger, id)
    retry(ledger, id)
    ledger.client.hincrby(f"penstock:task:{id}", "created", -50_000)
    ledger.client.hset(f"penstock:task:{id}", "again", look(ledger).now_ms)

    assert model(ledger).oldest_ms < 50_000
