"""One prediction: from the claimed input to an outcome. Knows no Redis and no Celery; never raises for the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from pydantic import BaseModel

from shared.model import ModelSchema, json_of, read_json
from shared.task import ErrorCode, TaskError
from worker.loading import Fetch, LoadedModel, ReportProgress

LONGEST_SENTENCE = 300
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that is loaded, with its schema."""

    schema: ModelSchema
    model: LoadedModel


Outcome = bytes | TaskError
"""The Output as JSON, or why there is none."""


def execute(served: ServedModel, input: bytes, progress: ReportProgress, fetch: Fetch) -> Outcome:
    """Compute one prediction. `input` is JSON that the API has validated against the same schema."""
    parsed = _parsed(served, input)
    del input  # it may be large, and a run may be long
    if isinstance(parsed, TaskError):
        return parsed
    return _guarded(lambda: served.model.predict(parsed, progress, fetch), served.schema.output)


def execute_batch(served: ServedModel, inputs: Sequence[bytes], fetch: Fetch) -> list[Outcome] | None:
    """Compute predictions together; return the outcome of each, in order.

    None: that cannot be done, for a reason that may be one input's, and each must be computed alone.
    """
    parsed = [_parsed(served, input) for input in inputs]
    fit = [each for each in parsed if not isinstance(each, TaskError)]
    if len(fit) < 2:  # noqa: PLR2004 (alone)
        return None
    try:
        results = list(served.model.predict_batch(fit, fetch))
    except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever a model raises; it is logged)
        log.warning("a batch failed; its tasks are computed one by one", tasks=len(inputs), failure=error)
        return None
    if len(results) != len(fit):
        log.warning("predict_batch must return an output for each input", inputs=len(fit), outputs=len(results))
        return None
    rest = iter(results)
    return [each if isinstance(each, TaskError) else checked(next(rest), served.schema.output) for each in parsed]


def _parsed(served: ServedModel, input: bytes) -> BaseModel | TaskError:
    try:
        return read_json(served.schema.input.model_validate_json, input)
    except Exception as error:  # noqa: BLE001 (a model's own validators may raise anything)
        return _failed("The worker's Input refuses what the API's accepted: their schemas differ.", error)


def _guarded(predict: Callable[[], object], output: type[BaseModel]) -> Outcome:
    try:
        result = predict()
    except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever a model raises is its task's outcome)
        return _failed(told(error), error)
    return checked(result, output)


def checked(result: object, output: type[BaseModel]) -> Outcome:
    """Return a model's result as JSON, or the error that it is none: an instance of Output or what validates as one."""
    try:
        instance = result if isinstance(result, output) else output.model_validate(result)
        # warnings="error": model_construct and assignment can make an instance that its own class refuses.
        return json_of(instance, warnings="error")
    except Exception as error:  # noqa: BLE001 (a model's own validators may raise anything)
        return _failed("The model returned what its Output refuses.", error, ErrorCode.INVALID_RESULT)


def within(outcome: Outcome, max_bytes: int) -> Outcome:
    """Return the outcome, or the error that its result has more than `max_bytes`."""
    if isinstance(outcome, TaskError) or len(outcome) <= max_bytes:
        return outcome
    return TaskError(ErrorCode.RESULT_TOO_LARGE, f"The result has {len(outcome)} bytes; {max_bytes} are allowed.")


def told(error: BaseException) -> str:
    """Say in one safe sentence what a model raised.

    A ValueError is how a model speaks to the client ("the image cannot be decoded"): its text is passed on, in one
    line. Of anything else only the type is told, since its text may hold paths, queries or secrets.
    """
    name = type(error).__name__
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError) and str(error).strip():
        text = " ".join(str(error).split())
        return text if len(text) <= LONGEST_SENTENCE else f"{text[: LONGEST_SENTENCE - 1]}…"
    return f"The model raised {name}."


def _failed(sentence: str, error: BaseException, code: ErrorCode = ErrorCode.MODEL_ERROR) -> TaskError:
    log.warning("prediction failed", code=code.value, failure=error)
    return TaskError(code, sentence.encode(errors="replace").decode())
