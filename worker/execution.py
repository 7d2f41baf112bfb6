"""One prediction: from the claimed input to an outcome. Knows no Redis and no Celery; never raises for the model."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from shared.model import ModelSchema
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
    try:
        parsed = served.schema.input.model_validate_json(input)
    except ValidationError as error:
        return _failed("The worker's Input refuses what the API's accepted: their schemas differ.", error)
    return _guarded(lambda: served.model.predict(parsed, progress, fetch), served.schema.output)


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
        return instance.model_dump_json(warnings="error").encode()
    except (ValidationError, PydanticSerializationError, UnicodeError) as error:
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
    log.warning("prediction failed", code=code.value, exc_info=error)
    return TaskError(code, sentence.encode(errors="replace").decode())
