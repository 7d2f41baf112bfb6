import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from shared.ledger.payload import LARGE_BYTES
from shared.model import DEFAULT_TIME_LIMIT_SECONDS, ModelError, by_name, json_of, read_json, read_schema, read_schemas

SCHEMA = (
    "from pydantic import BaseModel\nclass Input(BaseModel):\n    n: int = 1\nclass Output(BaseModel):\n    n: int\n"
)


def folder(parent: Path, name: str = "mine", schema: str = SCHEMA, **files: str) -> Path:
    made = parent / name
    made.mkdir(parents=True)
    (made / "schema.py").write_text(schema)
    for stem, text in files.items():
        (made / f"{stem}.py").write_text(text)
    return made


def test_a_folder_with_the_least_is_a_model(tmp_path: Path) -> None:
    schema = read_schema(folder(tmp_path))

    assert schema.name == "mine"
    assert schema.input(n=3).model_dump() == {"n": 3}
    assert (schema.time_limit_seconds, schema.max_batch, schema.load_in) == (DEFAULT_TIME_LIMIT_SECONDS, 1, "child")


def test_a_schema_declares_its_limits(tmp_path: Path) -> None:
    schema = read_schema(
        folder(tmp_path, schema=SCHEMA + "TIME_LIMIT_SECONDS = 1.5\nMAX_BATCH = 8\nLOAD_IN = 'parent'\n")
    )

    assert (schema.time_limit_seconds, schema.max_batch, schema.load_in) == (1.5, 8, "parent")


def test_modules_of_a_folder_import_each_other(tmp_path: Path) -> None:
    made = folder(tmp_path, schema="from .words import WORD\n" + SCHEMA, words="WORD = 'x'\n")

    assert read_schema(made).name == "mine"


def test_a_package_file_is_run_too(tmp_path: Path) -> None:
    made = folder(tmp_path, schema="from . import WORD\n" + SCHEMA, __init__="WORD = 'x'\n")

    assert read_schema(made).name == "mine"


def test_another_folder_of_the_same_name_is_another_model(tmp_path: Path) -> None:
    first = read_schema(folder(tmp_path / "a"))
    second = read_schema(folder(tmp_path / "b", schema=SCHEMA.replace("n: int = 1", "text: str")))

    assert set(first.input.model_fields) == {"n"}
    assert set(second.input.model_fields) == {"text"}


def test_a_relative_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path)
    monkeypatch.chdir(tmp_path)

    assert read_schema(Path("mine")).folder == tmp_path / "mine"


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ("", "has no pydantic model named Input"),
        (SCHEMA.replace("Output", "Result"), "has no pydantic model named Output"),
        ("class Input: pass", "has no pydantic model named Input"),
        ("import no_such_library", "does not import: ModuleNotFoundError"),
        ("1 +", "does not import: SyntaxError"),
        (SCHEMA + "TIME_LIMIT_SECONDS = 0", "TIME_LIMIT_SECONDS is a number above 0, not 0"),
        (SCHEMA + "MAX_BATCH = 'all'", "MAX_BATCH is a number above 0, not 'all'"),
        (SCHEMA + "MAX_BATCH = True", "MAX_BATCH is a number above 0, not True"),
        (SCHEMA + "MAX_BATCH = 1.5", "MAX_BATCH is a whole number, not 1.5"),
        (SCHEMA + "LOAD_IN = 'gpu'", "LOAD_IN is 'child' or 'parent', not 'gpu'"),
    ],
)
def test_a_schema_that_breaks_the_contract_is_told_by_file_and_name(
    tmp_path: Path, schema: str, complaint: str
) -> None:
    made = folder(tmp_path, schema=schema)

    with pytest.raises(ModelError) as caught:
        read_schema(made)

    assert complaint in str(caught.value)
    assert str(made / "schema.py") in str(caught.value)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"schema\.py does not exist"):
        read_schema(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["My-Model", "a b", "1st", "ünicode"])
def test_a_folder_whose_name_is_no_identifier_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="lower case"):
        read_schema(folder(tmp_path, name))


def test_two_models_cannot_have_one_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="two models are named 'mine'"):
        read_schemas([folder(tmp_path / "a"), folder(tmp_path / "b")])


def test_models_are_picked_by_name_in_the_order_asked(tmp_path: Path) -> None:
    schemas = read_schemas([folder(tmp_path, "a"), folder(tmp_path, "b")])

    assert list(by_name(schemas, ["b", "a"])) == ["b", "a"]
    with pytest.raises(ModelError, match="unknown model 'c'; PENSTOCK_MODELS serves a, b"):
        by_name(schemas, ["a", "c"])


class Many(BaseModel):
    many: list[list[int]]


@pytest.fixture
def collections() -> Iterator[list[str]]:
    """What the collector has begun, a word each time."""
    begun: list[str] = []

    def note(phase: str, _: Any) -> None:
        begun.append(phase)

    gc.callbacks.append(note)
    yield begun
    gc.callbacks.remove(note)


@pytest.mark.parametrize(("size", "is_spared"), [(LARGE_BYTES, True), (0, False)], ids=["large", "small"])
def test_the_collector_does_not_go_through_a_large_input_while_it_is_made(
    collections: list[str], size: int, is_spared: bool
) -> None:
    body = b'{"many": [' + b",".join([b"[1]"] * 5000) + b"]}" + b" " * size
    during: list[int] = []

    def validate(text: bytes) -> BaseModel:
        before = len(collections)
        made = Many.model_validate_json(text)
        during.append(len(collections) - before)
        return made

    assert read_json(validate, body) == Many(many=[[1]] * 5000)
    assert during == [0] if is_spared else during[0] > 0
    assert gc.isenabled()


def test_the_collector_goes_on_after_a_large_input_that_is_refused() -> None:
    with pytest.raises(ValidationError):
        read_json(Many.model_validate_json, b" " * LARGE_BYTES)

    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        read_json(Many.model_validate_json, b'{"many": []}' + b" " * LARGE_BYTES)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_json_is_what_pydantic_writes() -> None:
    class Text(BaseModel):
        text: str
        number: float

    instance = Text(text="é\x00\u2028", number=0.1)

    assert json_of(instance) == instance.model_dump_json().encode()
