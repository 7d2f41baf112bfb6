"""The options of a submit: query parameters, so that the body stays purely the model's input. Pure."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.problems import complaint, invalid

LONGEST_WAIT_SECONDS = 30 * 86400.0
NAME_LENGTH = 100  # the name of an unknown parameter is the client's, and as long as they like


class Options(BaseModel):
    """What a client may ask for beside the prediction itself."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    expires_in: Annotated[
        float | None,
        Field(
            ge=0.001,
            le=LONGEST_WAIT_SECONDS,
            description="seconds it may wait to be started; then it fails as `expired` without being run",
        ),
    ] = None
    time_limit: Annotated[
        float | None,
        Field(
            ge=0.001,
            description="seconds it may run, at most the model's own limit; then it is killed and fails as `timeout`",
        ),
    ] = None

    @property
    def expires_in_ms(self) -> int | None:
        """`expires_in` as the ledger counts."""
        return _ms(self.expires_in)

    @property
    def time_limit_ms(self) -> int | None:
        """`time_limit` as the ledger counts."""
        return _ms(self.time_limit)


NO_OPTIONS = Options()


def read_options(parameters: Sequence[tuple[str, str]], longest_run: float) -> Options:
    """Return the options in the query `parameters` of a submit to a model that may run for `longest_run` seconds.

    Raises:
        Problem: invalid-input, naming each parameter that is unknown (one that is misspelt must not be passed over),
            given twice, or wrong.
    """
    names = [name for name, _ in parameters]
    wrong = [
        _complaint(name, "Given more than once", "repeated")
        for name in sorted({n for n in names if names.count(n) > 1})
    ]
    if wrong:
        raise invalid(wrong)
    try:
        options = Options.model_validate(dict(parameters))
    except ValidationError as error:
        raise invalid([_readable(item) for item in error.errors(include_url=False, include_input=False)]) from None
    if options.time_limit is not None and options.time_limit > longest_run:
        raise invalid([_complaint("time_limit", f"The model's own limit is {longest_run:g} s", "less_than_equal")])
    return options


def _readable(item: Any) -> dict[str, Any]:
    if item["type"] == "extra_forbidden":
        return _complaint(str(item["loc"][0]), "No such parameter", "extra_forbidden")
    return complaint("query", item)


def _complaint(name: str, sentence: str, kind: str) -> dict[str, Any]:
    return {"loc": ["query", name[:NAME_LENGTH]], "msg": sentence, "type": kind}


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
