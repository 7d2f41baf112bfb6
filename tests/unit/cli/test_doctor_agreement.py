"""What the doctor says of the API, and of who serves which version of a model."""

from typing import Any

import pytest

from cli.doctor.agreement import judge_api, judge_schemas
from cli.doctor.finding import Word, as_json, as_text, fail, is_well, ok, span, warn
from cli.doctor.look import read_answer
from cli.doctor.sight import ApiSight
from shared.ledger.checkup import ModelState, WorkerState
from shared.shape import shape_of_document

URL = "http://127.0.0.1:8000"
DOCUMENT = {"name": "ocr", "input": {}, "output": {}, "limits": {"time_limit_seconds": 600.0, "max_batch": 1}}


def model(**shapes: str) -> ModelState:
    """A model, and the shape that each worker has of it."""
    workers = tuple(WorkerState(name, 1, 0, shape) for name, shape in shapes.items())
    return ModelState("ocr", 0, 0, 0, 0, 0, workers)


@pytest.mark.parametrize(
    ("served", "shapes", "word", "said"),
    [
        ({"ocr": "a"}, {"one": "a", "two": "a"}, Word.OK, "1 model, the same on 2 workers and the API"),
        ({"ocr": "a"}, {"one": "a", "two": "b"}, Word.FAIL, "two has another version of the model than the API"),
        ({"ocr": "c"}, {"one": "a", "two": "b"}, Word.FAIL, "one, two has another version"),
        ({"wait": "a"}, {"one": "a"}, Word.WARN, "served by one, and not by the API"),
        ({"ocr": "a"}, {"one": ""}, Word.WARN, "one does not say"),
        (None, {"one": "a", "two": "b"}, Word.FAIL, "do not have the same version"),
        (None, {"one": "a", "two": "a"}, Word.OK, "the API was not asked"),
        (None, {"one": "a", "two": ""}, Word.WARN, "two does not say"),
        ({"ocr": "a"}, {}, Word.WARN, "no worker is announced"),
    ],
)
def test_versions(served: dict[str, str] | None, shapes: dict[str, str], word: Word, said: str) -> None:
    (finding,) = judge_schemas(served, [model(**shapes)])

    assert (finding.word, said in finding.found) == (word, True), finding


@pytest.mark.parametrize(
    ("status", "body", "is_named", "word", "said"),
    [
        (200, {"models": [DOCUMENT]}, False, Word.OK, "serves ocr"),
        (200, {"models": [{"name": "ocr"}]}, True, Word.FAIL, "no list of models"),
        (200, "hello", False, Word.WARN, "not looked at"),
        (404, None, False, Word.WARN, "not looked at"),
        (401, {"title": "A key is needed"}, True, Word.WARN, "asks for a key"),
        (503, {"title": "Redis is away", "detail": "Wait."}, False, Word.FAIL, "503"),
        (500, None, True, Word.FAIL, "500"),
    ],
)
def test_an_answer_of_the_api(status: int, body: Any, is_named: bool, word: Word, said: str) -> None:
    finding = judge_api(read_answer(URL, status, body, is_named=is_named))

    assert (finding.word, said in finding.found) == (word, True), finding


@pytest.mark.parametrize(("is_named", "word"), [(True, Word.FAIL), (False, Word.WARN)])
def test_no_answer_is_a_failure_only_where_there_should_be_one(is_named: bool, word: Word) -> None:
    assert judge_api(ApiSight(URL, is_named, said="refused")).word is word


def test_a_shape_is_of_schemas_and_limits_and_of_nothing_else() -> None:
    shape = shape_of_document(DOCUMENT)

    assert shape_of_document({**DOCUMENT, "queue": {"queued": 3}, "name": "other"}) == shape
    assert shape_of_document(dict(reversed(DOCUMENT.items()))) == shape
    for changed in ({"input": {"x": 1}}, {"output": {"x": 1}}, {"limits": {"max_batch": 2}}):
        assert shape_of_document({**DOCUMENT, **changed}) != shape


def test_lines_are_aligned_and_say_what_to_do() -> None:
    text = as_text([ok("redis", "well"), fail("model ocr", "no worker", "start one")])

    assert text.splitlines() == ["ok    redis      well", "fail  model ocr  no worker: start one"]


def test_nothing_but_a_failure_makes_an_installation_unwell() -> None:
    assert is_well([ok("a", "b"), warn("c", "d")])
    assert not is_well([ok("a", "b"), fail("c", "d")])
    assert as_json([warn("c", "d", "e")]) == (
        '{"ok": true, "findings": [{"check": "c", "word": "warn", "found": "d", "advice": "e"}]}'
    )


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0 ms"),
        (850, "850 ms"),
        (1_400, "1 s"),
        (90_000, "90 s"),
        (301_000, "5 min"),
        (7_300_000, "2 h"),
        (2e8, "2 d"),
    ],
)
def test_a_span_is_said_in_a_unit_that_fits(ms: float, said: str) -> None:
    assert span(ms) == said
