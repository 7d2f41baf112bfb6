import itertools
import time
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from models.wait.model import Model
from models.wait.schema import Input, Output


def test_waits_one_second_unless_told_otherwise():
    assert Input().wait_time == 1


@pytest.mark.parametrize("wait_time", [1, 10])
def test_accepts_the_bounds(wait_time):
    assert Input.model_validate({"wait_time": wait_time}).wait_time == wait_time


@pytest.mark.parametrize(
    "document",
    [
        '{"wait_time":0}',
        '{"wait_time":11}',
        '{"wait_time":true}',
        '{"wait_time":"3"}',
        '{"wait_time":2.5}',
        '{"wait_time":null}',
        '{"wait_time":NaN}',
        '{"wait_time":[3]}',
        '{"wait_time":1,"more":1}',
        "[]",
    ],
)
def test_refuses_what_is_no_whole_number_from_one_to_ten(document):
    with pytest.raises(ValidationError):
        Input.model_validate_json(document)


def test_computes_for_as_long_as_told():
    reports = []
    cpu = time.process_time()
    output = Model().predict(Input(wait_time=1), lambda *report: reports.append(report))
    assert output.message == "task done after 1"
    assert output.waited_seconds >= 1
    assert time.process_time() - cpu > 0.1  # it computes: sleeping would cost next to nothing
    assert reports[0][1] == "0.0 of 1 s"


def test_reports_progress_at_least_twice_a_second(monkeypatch):
    clock = itertools.count(0, 0.01)
    monkeypatch.setattr("models.wait.model.time", SimpleNamespace(monotonic=lambda: next(clock)))
    reports = []
    output = Model().predict(Input(wait_time=3), lambda *report: reports.append(report))
    fractions = [0, *(fraction for fraction, _ in reports), 1]
    gaps = [3 * (later - earlier) for earlier, later in itertools.pairwise(fractions)]
    assert output.message == "task done after 3"
    assert all(0 <= gap <= 0.5 for gap in gaps)
    assert all(message.endswith(" of 3 s") for _, message in reports)


def test_the_output_is_closed():
    with pytest.raises(ValidationError):
        Output(message="task done after 1", waited_seconds=float("inf"))
