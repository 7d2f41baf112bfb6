"""Listing an owner's tasks: the newest first, page by page, however many there are."""

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.task import Status
from tests.contract.steps import KEPT_MS, claim, expire_lease, fail, read, reap, release, retry, submit


def pages(ledger: Ledger, limit: int, **more: object) -> list[list[str]]:
    """Every page of a list, as ids."""
    found: list[list[str]] = []
    before = None
    while not found or before is not None:
        page = ledger.run(calls.list_tasks("", KEPT_MS, limit=limit, before=before, **more))  # type: ignore[arg-type]
        found.append([task.id for task in page.tasks])
        before = page.before
    return found


def test_the_newest_come_first_in_pages_that_stay_while_tasks_arrive(ledger: Ledger) -> None:
    ids = [submit(ledger, model=model) for model in ("wait", "digits", "wait", "wait", "digits")][::-1]
    first = ledger.run(calls.list_tasks("", KEPT_MS, limit=2))
    submit(ledger)
    claim(ledger, ids[2])

    second = ledger.run(calls.list_tasks("", KEPT_MS, limit=2, before=first.before))
    third = ledger.run(calls.list_tasks("", KEPT_MS, limit=2, before=second.before))

    assert [task.id for page in (first, second, third) for task in page.tasks] == ids
    assert third.before is None


def test_a_last_page_that_is_full_is_known_to_be_the_last(ledger: Ledger) -> None:
    ids = [submit(ledger) for _ in range(4)]

    assert pages(ledger, 2) == [[ids[3], ids[2]], [ids[1], ids[0]]]


def test_a_task_is_listed_as_it_reads_without_its_result(ledger: Ledger) -> None:
    queued, done = submit(ledger), submit(ledger)
    ledger.run(calls.succeed(claim(ledger, done), b'{"large": 1}', KEPT_MS))

    newest, oldest = ledger.run(calls.list_tasks("", KEPT_MS, limit=10)).tasks

    assert oldest == read(ledger, queued)
    assert newest.result is None
    assert (newest.id, newest.status, newest.finished_ms) == (done, Status.SUCCEEDED, read(ledger, done).finished_ms)


def test_a_list_can_be_of_one_model_and_of_some_statuses(ledger: Ledger) -> None:
    a, b, c, d = (submit(ledger, model=model) for model in ("wait", "wait", "digits", "wait"))
    fail(ledger, a)
    fail(ledger, c)
    claim(ledger, d)

    assert pages(ledger, 10, model="wait") == [[d, b, a]]
    assert pages(ledger, 10, statuses=[Status.FAILED]) == [[c, a]]
    assert pages(ledger, 10, statuses=[Status.FAILED, Status.RUNNING], model="wait") == [[d, a]]
    assert pages(ledger, 10, model="never") == [[]]


def test_every_task_is_on_one_page_whatever_happens_to_it(ledger: Ledger) -> None:
    ids = [submit(ledger) for _ in range(6)]
    fail(ledger, ids[0])
    ledger.run(calls.cancel(ids[1], "", KEPT_MS))
    retry(ledger, ids[1])
    claim(ledger, ids[2], nonce="n")
    release(ledger, "n")
    claim(ledger, ids[3])
    expire_lease(ledger, ids[3])
    reap(ledger)

    for limit in (1, 2, 3, 5, 6, 7):
        found = pages(ledger, limit)
        assert [id for page in found for id in page] == ids[::-1]
        assert all(len(page) == limit for page in found[:-1])


def test_what_is_over_its_retention_is_not_listed_and_leaves_the_index(ledger: Ledger) -> None:
    kept, ended = submit(ledger), submit(ledger, owner="")
    for id in (kept, ended):
        fail(ledger, id)
    ledger.client.delete(f"penstock:task:{ended}")  # as Redis does, at the end of its retention
    ledger.client.zadd("penstock:ending", {f":wait:failed:{ended}": 1})

    assert pages(ledger, 1) == [[], [kept]]

    assert not ledger.run(calls.purge())
    assert pages(ledger, 10) == [[kept]]
    assert ledger.client.zrange("penstock:tasks::wait:failed", 0, -1) == [kept.encode()]
    assert ledger.client.zrange("penstock:ending", 0, -1) == [f":wait:failed:{kept}".encode()]
