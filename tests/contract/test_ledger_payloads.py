"""Large inputs and results: as they are, a few at a time, and only when they are asked for."""

import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.payload import LARGE_BYTES
from shared.task import Missing, Status
from tests.contract.steps import KEPT_MS, claim, read, submit


def test_large_results_are_read_a_few_at_a_time(ledger: Ledger) -> None:
    asked = [(submit(ledger), "") for _ in range(5)]
    for id, _ in asked:
        assert ledger.run(calls.succeed(claim(ledger, id), b"1" * 200_000, KEPT_MS))

    found = ledger.run(calls.read_each(asked, KEPT_MS))

    assert [task.id for task in found if not isinstance(task, Missing)] == [id for id, _ in asked[:2]]


def test_a_large_result_is_left_out_until_it_is_asked_for(ledger: Ledger) -> None:
    small, large = submit(ledger), submit(ledger)
    results = {small: b"1" * (LARGE_BYTES - 1), large: b"2" * LARGE_BYTES}
    for id, result in results.items():
        assert ledger.run(calls.succeed(claim(ledger, id), result, KEPT_MS))

    assert (read(ledger, small).result, read(ledger, small).left_out) == (results[small], 0)
    task = read(ledger, large)
    assert (task.status, task.result, task.left_out) == (Status.SUCCEEDED, None, LARGE_BYTES)
    assert ledger.run(calls.read_each([(large, "")], KEPT_MS)) == [task]
    assert calls.result(task).bytes == LARGE_BYTES
    assert ledger.run(calls.result(task)) == results[large]
    ledger.run(calls.forget(large, "", KEPT_MS))
    assert ledger.run(calls.result(task)) is None


def test_many_large_results_are_read_in_one_step_since_they_are_left_out(ledger: Ledger) -> None:
    asked = [(submit(ledger), "") for _ in range(5)]
    for id, _ in asked:
        assert ledger.run(calls.succeed(claim(ledger, id), b"1" * LARGE_BYTES, KEPT_MS))

    assert len(ledger.run(calls.read_each(asked, KEPT_MS))) == len(asked)


def test_a_large_result_is_sent_as_it_is(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    result, sent = b"1" * LARGE_BYTES, []
    held = claim(ledger, submit(ledger))
    send = ledger._connection.send_packed_command
    monkeypatch.setattr(
        ledger._connection, "send_packed_command", lambda parts, **more: (sent.extend(parts), send(parts, **more))
    )

    assert ledger.run(calls.succeed(held, result, KEPT_MS))

    assert any(part is result for part in sent)


def test_a_large_payload_goes_there_and_comes_back_as_it_is(ledger: Ledger) -> None:
    payload = bytes(range(256)) * (LARGE_BYTES // 256)
    id = submit(ledger, input=payload)

    claimed = claim(ledger, id)
    assert claimed.input == payload
    assert ledger.run(calls.succeed(claimed, payload, KEPT_MS))
    assert ledger.run(calls.result(read(ledger, id))) == payload
