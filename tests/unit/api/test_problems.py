import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, Json, ValidationError

from api.problems import (
    ERRORS_LISTED,
    ERRORS_SHOWN,
    LOC_LENGTH,
    TABLE,
    UNKNOWN_TASK,
    Kind,
    Problem,
    ProblemDocument,
    invalid_body,
    ledger_unavailable,
    response,
)

SCOPE = {"type": "http", "path": "/task/ä b"}
SECRET = "sesame"


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: int = 1
    color: Literal["red", "blue"] = "red"
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    inner: Json[Any] = None


def refused(body: str) -> Problem:
    with pytest.raises(ValidationError) as caught:
        Input.model_validate_json(body)
    return invalid_body(caught.value)


def test_the_kinds_are_all_different() -> None:
    assert len({kind.type for kind in TABLE}) == len(TABLE)
    assert Kind("", 404, "Not Found").type == "about:blank"


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.name)
def test_every_kind_makes_a_problem_document(kind: Kind) -> None:
    answer = response(Problem(kind, "Because."), SCOPE)
    document = ProblemDocument.model_validate_json(bytes(answer.body))
    assert answer.status_code == document.status == kind.status
    assert answer.headers["content-type"] == "application/problem+json"
    assert document.type == f"urn:penstock:problem:{kind.name}"
    assert document.instance == "/task/%C3%A4%20b"
    assert "errors" not in json.loads(bytes(answer.body))


def test_headers_of_a_problem_are_sent() -> None:
    assert response(ledger_unavailable(), SCOPE).headers["retry-after"] == "1"
    assert "retry-after" not in response(Problem(UNKNOWN_TASK, "None."), SCOPE).headers


@pytest.mark.parametrize("body", ["", "{", '{"number": 1,}', '"\\ud800"', "[" * 5000, "nope"])
def test_what_is_not_json_is_not_called_invalid(body: str) -> None:
    assert refused(body).kind.name == "broken-json"


def test_json_within_the_input_that_is_broken_is_invalid() -> None:
    assert refused('{"inner": "{"}').kind.name == "invalid-input"


@pytest.mark.parametrize(
    ("body", "loc", "type"),
    [
        ({"number": SECRET}, ["body", "number"], "int_parsing"),
        ({"color": SECRET}, ["body", "color"], "literal_error"),
        ({"pet": {"kind": SECRET}}, ["body", "pet"], "union_tag_invalid"),
        ({"other": SECRET}, ["body", "other"], "extra_forbidden"),
        ([SECRET], ["body"], "model_type"),
    ],
)
def test_an_invalid_body_names_the_field_and_not_the_input(body: Any, loc: list[str], type: str) -> None:
    problem = refused(json.dumps(body))
    assert problem.errors is not None
    (error,) = problem.errors
    assert (error["loc"], error["type"]) == (loc, type)
    assert error.keys() == {"loc", "msg", "type"}
    assert SECRET.encode() not in bytes(response(problem, SCOPE).body)


def test_a_body_wrong_in_many_places_makes_a_short_answer() -> None:
    problem = refused(json.dumps({f"{n}{'x' * 1000}": 1 for n in range(1000)}))
    assert problem.errors is not None
    assert len(problem.errors) == ERRORS_SHOWN
    assert len(problem.errors[0]["loc"][1]) == LOC_LENGTH
    assert problem.detail.endswith("and 997 more.")


def test_a_body_wrong_in_more_places_than_can_be_listed_in_time_says_how_many() -> None:
    problem = refused(json.dumps(dict.fromkeys(map(str, range(ERRORS_LISTED + 1)), 1)))
    assert (problem.kind.name, problem.errors) == ("invalid-input", [])
    assert str(ERRORS_LISTED + 1) in problem.detail
