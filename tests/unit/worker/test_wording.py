from shared.ledger.records import Claim, Verdict
from worker.wording import of_attempts, of_claims, of_verdict


def claim(id: str, request_id: str = "") -> Claim:
    return Claim(id, 1, "ocr", b"", request_id=request_id)


def test_one_claim_says_its_attempt() -> None:
    assert of_claims([claim("a", "r")]) == {"task_id": "a", "attempt": 1, "model": "ocr", "request_id": "r"}
    assert of_claims([claim("a")]) == {"task_id": "a", "attempt": 1, "model": "ocr"}


def test_what_is_computed_together_is_said_of_all() -> None:
    assert of_claims([claim("a", "r"), claim("b"), claim("c", "s"), claim("d", "r")]) == {
        "task_ids": ["a", "b", "c", "d"],
        "model": "ocr",
        "request_ids": ["r", "s"],
    }
    assert of_claims([claim("a"), claim("b")]) == {"task_ids": ["a", "b"], "model": "ocr"}


def test_a_verdict_says_whose_task_it_was() -> None:
    assert of_verdict(Verdict("a", "queued", 2, "r")) == {"task_id": "a", "attempt": 2, "request_id": "r"}
    assert of_verdict(Verdict("a", "expired")) == {"task_id": "a", "attempt": 0}


def test_of_several_attempts_each_can_be_found() -> None:
    assert of_attempts([("a", 3)]) == {"task_id": "a", "attempt": 3, "tasks": 1}
    assert of_attempts([("a", 3), ("b", 1)]) == {"task_id": "a", "attempt": 3, "tasks": 2, "task_ids": ["a", "b"]}
    assert of_attempts([]) == {}
