import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from shared.ledger.records import Claim
from shared.model import ModelSchema
from shared.task import ErrorCode, TaskError
from worker.execution import LONGEST_SENTENCE, ServedModel, checked, execute, told
from worker.loading import adapted


class Input(BaseModel):
    n: int


class Output(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)

    number: float
    word: str = "é"


def served(predict: Callable[[Input], object]) -> ServedModel:
    class Model:
        def predict(self, input: Input) -> object:
            return predict(input)

    schema = ModelSchema("mine", Path(), Input, Output, 10, 1, "child", None)
    return ServedModel(schema, adapted(Model()))


def fetch(url: str) -> bytes:
    return url.encode()


def run(predict: Callable[[Input], object], input: bytes = b'{"n": 2}') -> bytes | TaskError:
    return execute(served(predict), input, lambda *_: None, fetch)


def test_the_input_is_parsed_and_the_output_is_json() -> None:
    assert run(lambda input: Output(number=input.n / 4)) == '{"number":0.5,"word":"é"}'.encode()


def test_a_dictionary_that_validates_is_an_output() -> None:
    assert run(lambda _: {"number": 1}) == '{"number":1.0,"word":"é"}'.encode()


@pytest.mark.parametrize(
    "result",
    [
        None,
        3,
        {"number": "x"},
        {"number": float("nan")},
        {},
        Output.model_construct(number="x"),
        {"number": 1, "word": "\ud800"},
    ],
)
def test_a_result_that_its_output_refuses_is_invalid(result: object) -> None:
    outcome = run(lambda _: result)

    assert outcome == TaskError(ErrorCode.INVALID_RESULT, "The model returned what its Output refuses.")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (KeyError("secret"), "The model raised KeyError."),
        (ValueError("the image\n cannot be decoded"), "the image cannot be decoded"),
        (ValueError(), "The model raised ValueError."),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "secret"), "The model raised UnicodeDecodeError."),
        (SystemExit(3), "The model raised SystemExit."),
        (MemoryError(), "The model raised MemoryError."),
    ],
)
def test_what_a_model_raises_is_told_in_one_safe_sentence(error: BaseException, sentence: str) -> None:
    def predict(_: Input) -> object:
        raise error

    assert run(predict) == TaskError(ErrorCode.MODEL_ERROR, sentence)


def test_a_long_sentence_is_cut() -> None:
    assert len(told(ValueError("x" * 1000))) == LONGEST_SENTENCE


def test_a_sentence_that_is_no_unicode_can_still_be_stored() -> None:
    def predict(_: Input) -> object:
        raise ValueError("bad \ud800 text")

    assert run(predict) == TaskError(ErrorCode.MODEL_ERROR, "bad ? text")


def test_an_input_that_the_worker_refuses_is_told_apart() -> None:
    outcome = run(lambda _: Output(number=1), b'{"n": "no"}')

    assert isinstance(outcome, TaskError)
    assert "schemas differ" in outcome.message


def test_a_broken_off_program_is_no_outcome_of_the_model() -> None:
    def predict(_: Input) -> object:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(predict)


@pytest.mark.parametrize(
    "predict",
    [
        lambda self, input: input,
        lambda self, input, progress: progress(1, None) or input,
        lambda self, input, progress=None: progress(1, None) or input,
        lambda self, *arguments: arguments[0],
    ],
)
def test_progress_is_optional_to_take(predict: Callable[..., object]) -> None:
    model = type("Model", (), {"predict": predict})()

    assert adapted(model).predict(Input(n=1), lambda *_: None, fetch) == Input(n=1)


@pytest.mark.parametrize(
    "predict",
    [
        lambda self, input, *, fetch: fetch(str(input.n)),
        lambda self, input, fetch: fetch(str(input.n)),
        lambda self, input, progress, fetch: progress(1, None) or fetch(str(input.n)),
        lambda self, input, progress=None, *, fetch=None: progress(1, None) or fetch(str(input.n)),
    ],
)
def test_a_model_gets_fetch_if_it_takes_one(predict: Callable[..., object]) -> None:
    model = type("Model", (), {"predict": predict})()

    assert adapted(model).predict(Input(n=1), lambda *_: None, fetch) == b"1"


def test_a_model_may_have_its_own_way_to_write_json() -> None:
    class Own(Output):
        def model_dump_json(self, **_: Any) -> str:
            return '"é"'

    assert checked(Own(number=1), Output) == '"é"'.encode()


def test_a_result_is_written_once() -> None:
    class Text(BaseModel):
        text: str

    result = Text(text="x" * 1_000_000)
    tracemalloc.start()
    try:
        written = checked(result, Text)
        assert tracemalloc.get_traced_memory()[1] < 1.5 * len(written)
    finally:
        tracemalloc.stop()


def test_the_input_is_let_go_of_once_it_is_parsed() -> None:
    class Traced(bytes):
        def __del__(self) -> None:
            gone.append(True)

    gone: list[bool] = []
    claim = Claim("id", 1, "mine", Traced(b'{"n": 2}'))
    seen: list[list[bool]] = []

    def predict(input: Input) -> object:
        seen.append(gone.copy())
        return Output(number=input.n)

    execute(served(predict), claim.take_input(), lambda *_: None, fetch)

    assert seen == [[True]]
