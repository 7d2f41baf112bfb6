import pytest

from bench.contenders.registry import ALL, chosen
from bench.dialect import Dialect, WrongAnswerError
from bench.wire import Answer

DIALECT = Dialect()
DONE = Answer(200, b'{"task_id":"7","status":"done","result":{"value":1}}')


def test_the_id_is_read_from_the_bytes_of_an_accepted_submit() -> None:
    assert DIALECT.id_of(Answer(202, b'{"task_id":"a-b","status":"pending"}')) == "a-b"


@pytest.mark.parametrize("answer", [None, Answer(503, b'{"task_id":"a"}'), Answer(202, b'{"id":"a"}')])
def test_a_refused_submit_is_an_error(answer: Answer | None) -> None:
    with pytest.raises(WrongAnswerError):
        DIALECT.id_of(answer)


def test_a_task_is_done_or_pending_and_anything_else_is_an_error() -> None:
    assert DIALECT.is_done(DONE)
    assert not DIALECT.is_done(Answer(200, b'{"status":"pending"}'))
    with pytest.raises(WrongAnswerError, match="neither"):
        DIALECT.is_done(Answer(200, b'{"status":"failed"}'))
    with pytest.raises(WrongAnswerError, match="refused"):
        DIALECT.is_done(Answer(500, b'{"status":"done"}'))


def test_a_result_is_compared_as_a_whole() -> None:
    DIALECT.require(DONE, {"value": 1})
    with pytest.raises(WrongAnswerError, match="instead of"):
        DIALECT.require(DONE, {"value": 2})


def test_a_result_may_be_the_whole_answer() -> None:
    Dialect(field="").require(Answer(200, b'{"value":1}'), {"value": 1})


def test_paths_are_filled_in() -> None:
    assert DIALECT.poll_request("noop", "7").startswith(b"GET /task/7 ")
    elsewhere = Dialect(poll="/{work}/status?id={id}", result="/{work}/get?id={id}")
    assert elsewhere.result_request("noop", "7").startswith(b"GET /noop/get?id=7 ")


def test_contenders_are_chosen_by_name() -> None:
    assert [each.name for each in chosen("saq, penstock")] == ["saq", "penstock"]
    assert [each.name for each in chosen("")] == list(ALL)
    with pytest.raises(ValueError, match="nobody"):
        chosen("penstock,nobody")
