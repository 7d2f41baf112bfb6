"""The options of a submit: query parameters, so that the body stays purely the model's input. Pure."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from api.problems import complaint, invalid
from shared.outward import LONGEST_URL, ForbiddenError, Rule, check_url
from shared.task import DEFAULT_PRIORITY, PRIORITIES, Status

LONGEST_PATIENCE_SECONDS = 30 * 86400.0
NAME_LENGTH = 100  # the name of an unknown parameter is the client's, and as long as they like


class Options(BaseModel):
    """What a client may ask for beside the prediction itself."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    priority: Annotated[
        int,
        Field(
            ge=PRIORITIES[0],
            le=PRIORITIES[-1],
            description="of the tasks that wait for the same model, one of a higher priority is always started first",
        ),
    ] = DEFAULT_PRIORITY
    expires_in: Annotated[
        float | None,
        Field(
            ge=0.001,
            le=LONGEST_PATIENCE_SECONDS,
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

    callback_url: Annotated[
        str,
        Field(
            max_length=LONGEST_URL, description="whom to tell of the end, if this server tells anyone; see `callback`"
        ),
    ] = ""
    wait: Annotated[
        float | None,
        Field(
            ge=0, description="seconds to wait for the end, at most as long as this server allows; like `Prefer: wait`"
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

    def of_the_task(self) -> dict[str, object]:
        """Return those that are the task's, not the request's."""
        return self.model_dump(exclude={"wait"})


NO_OPTIONS = Options()


class Reading(BaseModel):
    """The query parameters of GET /task/{task_id}."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    wait: Annotated[
        float | None,
        Field(
            ge=0, description="seconds to wait for the end, at most as long as this server allows; like `Prefer: wait`"
        ),
    ] = None


def _words(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


class Listing(BaseModel):
    """The query parameters of GET /task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Annotated[
        tuple[Status, ...],
        BeforeValidator(_words),
        Field(description="only tasks in one of these, separated by commas or each as a parameter of its own"),
    ] = tuple(Status)
    model: Annotated[str, Field(max_length=64, description="only tasks of this model")] = ""
    limit: Annotated[int, Field(ge=1, le=100, description="how many tasks a page has at most")] = 20
    cursor: Annotated[str | None, Field(pattern=r"^[1-9][0-9]{0,15}$", description="the `next` of the page before")] = (
        None
    )


Query = TypeVar("Query", bound=BaseModel)


def read_options(parameters: Sequence[tuple[str, str]], longest_run: float, rules: Sequence[Rule] = ()) -> Options:
    """Return the options in the query `parameters` of a submit to a model that may run for `longest_run` seconds.

    `rules` say where callbacks may go.

    Raises:
        Problem: invalid-input.
    """
    options = read_query(Options, parameters)
    if options.time_limit is not None and options.time_limit > longest_run:
        raise invalid([_complaint("time_limit", f"The model's own limit is {longest_run:g} s", "less_than_equal")])
    if options.callback_url:
        _require_allowed(options.callback_url, rules)
    return options


def _require_allowed(url: str, rules: Sequence[Rule]) -> None:
    """Refuse now what the courier would refuse later; what a host resolves to is looked at then."""
    if not rules:
        raise invalid([_complaint("callback_url", "This server tells nobody of a task's end", "callback_off")])
    try:
        check_url(url, rules)
    except ForbiddenError as error:
        raise invalid([_complaint("callback_url", f"Not allowed: {error}", "callback_forbidden")]) from None


def read_query(kind: type[Query], parameters: Sequence[tuple[str, str]]) -> Query:
    """Return the query `parameters` of a request as a `kind`.

    Raises:
        Problem: invalid-input, naming each parameter that is unknown (one that is misspelt must not be passed over),
            given twice, or wrong.
    """
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        given.setdefault(name, []).append(value)
    repeated = sorted(name for name, values in given.items() if len(values) > 1 and not _is_list(kind, name))
    if repeated:
        raise invalid([_complaint(name, "Given more than once", "repeated") for name in repeated])
    try:
        return kind.model_validate({name: ",".join(values) for name, values in given.items()})
    except ValidationError as error:
        raise invalid([_readable(item) for item in error.errors(include_url=False, include_input=False)]) from None


def _is_list(kind: type[BaseModel], name: str) -> bool:
    """Tell whether a parameter takes words with commas between them; many a client repeats it for each word instead."""
    return name in kind.model_fields and get_origin(kind.model_fields[name].annotation) is tuple


def _readable(item: Any) -> dict[str, Any]:
    if item["type"] == "extra_forbidden":
        return _complaint(str(item["loc"][0]), "No such parameter", "extra_forbidden")
    return complaint("query", item)


def _complaint(name: str, sentence: str, kind: str) -> dict[str, Any]:
    return {"loc": ["query", name[:NAME_LENGTH]], "msg": sentence, "type": kind}


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
