"""A model's shape: the same from its folder and from its document, another one as soon as either side would notice."""

import json
from pathlib import Path

import pytest

from api.served import ServedModels
from shared.ledger.records import ModelCensus
from shared.model import ModelSchema, read_schema
from shared.shape import shape_of, shape_of_document

SCHEMA = """
from pydantic import BaseModel, Field, computed_field
TIME_LIMIT_SECONDS = 5
class Input(BaseModel):
    number: float = Field(default=0.1, le=1e300, description="any")
class Output(BaseModel):
    text: str = "é"
    @computed_field
    def length(self) -> int: return len(self.text)  # in what comes out, not in what goes in
"""


def read(folder: Path, text: str = SCHEMA) -> ModelSchema:
    folder.mkdir(parents=True)
    (folder / "schema.py").write_text(text)
    return read_schema(folder)


def test_the_document_has_the_shape_of_the_folder(tmp_path: Path) -> None:
    schema = read(tmp_path / "shout")
    document = ServedModels({"shout": schema}).document("shout", ModelCensus(0, 0, 0, 0, None))

    assert shape_of_document(json.loads(json.dumps(document))) == shape_of(schema)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("le=1e300", "le=1e200"),
        ("text: str", "said: str"),
        ("SECONDS = 5", "SECONDS = 6"),
        ("= 5", "= 5; MAX_BATCH = 2"),
    ],
)
def test_what_changes_for_the_other_side_changes_the_shape(tmp_path: Path, old: str, new: str) -> None:
    assert shape_of(read(tmp_path / "a" / "shout")) != shape_of(
        read(tmp_path / "b" / "shout", SCHEMA.replace(old, new))
    )


def test_what_concerns_one_side_alone_does_not(tmp_path: Path) -> None:
    other = SCHEMA + "\nLOAD_IN = 'parent'\nMAX_WAIT_MS = 5\n"

    assert shape_of(read(tmp_path / "a" / "shout")) == shape_of(read(tmp_path / "b" / "shout", other))
