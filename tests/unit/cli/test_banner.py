"""What `penstock up` prints."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from cli.banner import ready, started
from shared.model import ModelSchema

URL = "http://127.0.0.1:8000"


def schema(example: Any) -> ModelSchema:
    class Input(BaseModel):
        model_config = ConfigDict(json_schema_extra={"examples": [example]} if example is not None else {})

    return ModelSchema("wait", Path(), Input, Input, 1, 1, "child", None)


@pytest.mark.parametrize("example", [{"wait_time": 3}, {"text": 'it\'s "quoted" $HOME'}])
def test_the_curl_survives_a_shell(example: Any) -> None:
    line = ready(seconds=3.21, url=URL, schema=schema(example)).splitlines()
    assert line[0] == "ready in 3.2 s"
    words = shlex.split(line[1].removeprefix("try: "))
    assert words == ["curl", "-d", json.dumps(example), "-H", "Content-Type: application/json", f"{URL}/task/wait"]


@pytest.mark.parametrize("example", [None, {"image": "x" * 300}])
def test_without_a_short_example_the_docs_are_named(example: Any) -> None:
    assert ready(seconds=1, url=URL, schema=schema(example)).endswith(f"try: {URL}/docs")


def test_what_runs_where() -> None:
    text = started(url=URL, ledger="unix:///d/valkey.sock", data_dir=Path("/d"), models=["wait", "ocr"], children=2)
    for part in ("unix:///d/valkey.sock", URL, f"{URL}/docs", "data    /d", "wait, ocr; 2 children"):
        assert part in text


def test_a_ledger_elsewhere_has_no_data_directory_and_no_password() -> None:
    text = started(url=URL, ledger="redis://:secret@cache/0", data_dir=None, models=["wait"], children=1)
    assert "secret" not in text
    assert "data " not in text
    assert "1 child" in text
