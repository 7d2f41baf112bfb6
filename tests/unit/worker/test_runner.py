"""What a child decides between two tasks."""

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from pydantic import BaseModel

from shared.ledger.calls import Call
from shared.ledger.connection import Ledger
from shared.ledger.records import Claim, Finished, Wanted, Won
from shared.model import ModelSchema
from shared.settings import Settings
from worker.execution import ServedModel
from worker.fetching import Fetcher
from worker.loading import LoadedModel, adapted
from worker.runner import Runner, time_limit, turns


def schema(name: str = "mine", max_batch: int = 1, max_wait_ms: int = 0) -> ModelSchema:
    return ModelSchema(name, Path(), BaseModel, BaseModel, 5.0, max_batch, "child", None, max_wait_ms=max_wait_ms)


@pytest.mark.parametrize(("asked_ms", "expected"), [(None, 5.0), (500, 0.5), (60_000, 5.0)])
def test_a_client_may_ask_for_less_time_than_the_model_allows(asked_ms: int | None, expected: float) -> None:
    assert time_limit(schema(), Claim("id", 1, "mine", b"", asked_ms)) == expected


def test_after_a_task_the_other_models_have_their_turn_first() -> None:
    schemas = {"a": schema("a"), "b": schema("b", 8, 20), "c": schema("c")}

    wanted = turns(schemas)

    assert {name: [each.model for each in its] for name, its in wanted.items()} == {
        "a": ["b", "c", "a"],
        "b": ["c", "a", "b"],
        "c": ["a", "b", "c"],
    }
    assert wanted["a"][0] == Wanted("b", 8, 20)


def test_nothing_holds_an_input_while_the_model_computes() -> None:
    class Input(bytes):
        def __del__(self) -> None:
            gone.append(True)

    class Scripted:
        def run(self, call: Call[Any]) -> Any:
            if call.script == "claim":
                return Won((Claim(str(uuid4()), 1, "mine", Input(b"{}")),))
            return Finished((True,), Won())

    class Data(BaseModel):
        n: int = 1

    class Model:
        def predict(self, input: Data) -> Data:
            seen.append(gone.copy())
            return input

    gone: list[bool] = []
    seen: list[list[bool]] = []
    slots: Any = SimpleNamespace(draining=False, write=lambda *_, **__: None)
    served = {"mine": ServedModel(replace(schema(), input=Data, output=Data), adapted(Model()))}
    ledger = cast("Ledger", Scripted())
    fetch = Fetcher((), 0)
    runner = Runner(Settings(), "worker", slots, 0, ledger, served, fetch, lambda: False, 0, os.getppid())

    runner.run(str(uuid4()))

    assert seen == [[True]]


def test_a_child_whose_parent_has_died_claims_nothing_and_puts_its_message_back() -> None:
    """Where the system kills such children it never comes to this; not every system does."""

    class Noting:
        def run(self, call: Call[Any]) -> bool:
            asked.append(call.script)
            return True

    asked: list[str] = []
    slots: Any = SimpleNamespace(draining=False, write=lambda *_, **__: None)
    served = {"mine": ServedModel(schema(), cast("LoadedModel", None))}
    ledger = cast("Ledger", Noting())
    runner = Runner(Settings(), "worker", slots, 0, ledger, served, Fetcher((), 0), lambda: False, 0, os.getppid() + 1)

    runner.run(str(uuid4()))

    assert asked == ["decline"]
