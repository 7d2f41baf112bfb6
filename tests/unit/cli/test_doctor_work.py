"""What the doctor says of models, workers and what waits, from what the ledger says."""

from dataclasses import replace

import pytest

from cli.doctor.finding import Finding, Word
from cli.doctor.work import judge_work
from shared.ledger.checkup import Checkup, ModelState, OutboxState, WorkerState, checkup_of

ONE, TWO = WorkerState("one", 4, 1, "a"), WorkerState("two", 2, 2, "a")
OCR = ModelState("ocr", queued=0, running=3, oldest_ms=0, expired=0, expired_ms=0, workers=(ONE, TWO))
NOTHING = OutboxState(0, 0, 0)


def judged(state: ModelState = OCR, outbox: OutboxState = NOTHING, served: tuple[str, ...] = ()) -> dict[str, Finding]:
    """The findings by check."""
    return {finding.check: finding for finding in judge_work(Checkup(1, (state,), outbox), served)}


def test_all_is_well() -> None:
    found = judged()

    assert {finding.word for finding in found.values()} == {Word.OK}
    assert list(found) == ["workers", "model ocr", "leases", "callbacks"]
    assert found["workers"].found == "2 workers, 6 slots: one, two"
    assert found["model ocr"].found == "3 of 6 slots free; nothing queued"


@pytest.mark.parametrize(
    ("changes", "word", "said"),
    [
        ({"workers": (), "running": 0, "queued": 3, "oldest_ms": 12_000}, Word.FAIL, "no worker; 3 queued"),
        ({"workers": (), "running": 1}, Word.WARN, "no worker; nothing queued"),
        ({"queued": 3, "oldest_ms": 9_000}, Word.OK, "3 queued, the oldest for 9 s"),
        ({"queued": 3, "oldest_ms": 11_000}, Word.WARN, "3 of 6 slots free"),
        ({"queued": 3, "oldest_ms": 299_000, "workers": (TWO,)}, Word.OK, "0 of 2 slots free"),
        ({"queued": 3, "oldest_ms": 301_000, "workers": (TWO,)}, Word.WARN, "the oldest for 5 min"),
    ],
)
def test_a_model(changes: dict[str, object], word: Word, said: str) -> None:
    finding = judged(replace(OCR, **changes))["model ocr"]  # type: ignore[arg-type]

    assert (finding.word, said in finding.found) == (word, True), finding
    assert bool(finding.advice) == (word is not Word.OK)


def test_a_child_that_runs_another_model_is_not_free() -> None:
    """Its worker counts it in both, and says how many of its children are at work."""
    assert WorkerState("one", 2, 3, "").free == 0
    assert replace(OCR, workers=(ONE,)).free == 3


def test_a_model_that_is_served_no_more_is_not_spoken_of() -> None:
    left = ModelState("left", 0, 0, 0, 0, 0, ())

    assert "model left" not in judged(left)
    assert judged(left, served=("left",))["model left"].word is Word.WARN
    assert judged(served=("new", "ocr"))["model new"].word is Word.WARN  # nobody has ever asked for it


def test_without_workers_it_says_so() -> None:
    assert judged(replace(OCR, workers=()))["workers"].word is Word.WARN


def test_of_many_workers_some_are_named() -> None:
    many = tuple(WorkerState(f"w{n}", 1, 0, "a") for n in range(9))

    assert judged(replace(OCR, workers=many))["workers"].found.endswith("w0, w1, w2, w3, w4 and 4 more")


@pytest.mark.parametrize(
    ("expired", "expired_ms", "workers", "word", "said"),
    [
        (0, 0, (ONE,), Word.OK, "none past its lease"),
        (2, 4_000, (ONE,), Word.OK, "2 past the lease, for a moment"),  # a reaper needs one
        (2, 40_000, (ONE,), Word.FAIL, "2 leases ended up to 40 s ago"),
        (1, 40_000, (), Word.FAIL, "1 lease ended up to 40 s ago"),
    ],
)
def test_leases(expired: int, expired_ms: int, workers: tuple[WorkerState, ...], word: Word, said: str) -> None:
    finding = judged(replace(OCR, expired=expired, expired_ms=expired_ms, workers=workers))["leases"]

    assert (finding.word, said in finding.found) == (word, True), finding
    assert ("start a worker" in finding.advice) == (word is Word.FAIL and not workers)


@pytest.mark.parametrize(
    ("outbox", "word", "said"),
    [
        (OutboxState(2, 0, 1), Word.OK, "2 callbacks wait for the next try"),
        (OutboxState(2, 9_000, 0), Word.OK, "2 callbacks wait"),
        (OutboxState(1, 11_000, 0), Word.FAIL, "nobody delivers"),
        (OutboxState(1, 0, 5), Word.WARN, "5 tries"),
    ],
)
def test_callbacks(outbox: OutboxState, word: Word, said: str) -> None:
    finding = judged(outbox=outbox)["callbacks"]

    assert (finding.word, said in finding.found) == (word, True), finding


def test_the_ledgers_answer_is_read() -> None:
    reply = [
        9,
        [[b"wait", 1, 2, 3, 4, 5, [[b"one", b"2", 1, b"abc"], [b"two", b"1", 0, b""]]], [b"digits"] + [0] * 5 + [[]]],
    ]

    found = checkup_of([*reply, [1, 2, 3]])

    workers = (WorkerState("one", 2, 1, "abc"), WorkerState("two", 1, 0, ""))
    assert found.models[1] == ModelState("wait", 1, 2, 3, 4, 5, workers)
    assert [state.name for state in found.models] == ["digits", "wait"]
    assert found.outbox == OutboxState(1, 2, 3)
