"""JSON in and out of the command line."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.document import InputError, read_input, render


def test_json_is_sent_as_it_was_written() -> None:
    assert read_input('{"n": 1.10, "big": 123456789012345678901}') == b'{"n": 1.10, "big": 123456789012345678901}'


def test_json_comes_from_a_file_or_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "input.json").write_bytes('{"é": 1}'.encode())
    assert read_input(f"@{tmp_path / 'input.json'}") == '{"é": 1}'.encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"[1]")))
    assert read_input("-") == b"[1]"


@pytest.mark.parametrize("text", ["{", "", "{'a': 1}", "NaN", '{"a": Infinity}', "\udcff", "[" * 100_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no JSON") as caught:
        read_input(text)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent cannot be read: No such file"):
        read_input(f"@{tmp_path / 'absent'}")


@pytest.mark.parametrize("terminal", [True, False])
def test_whatever_is_printed_is_json_and_utf8(terminal: bool) -> None:
    document = {"task_id": "t", "result": "é \ud800"}
    text = render(document, terminal=terminal)
    text.encode()
    assert json.loads(text) == document
    assert ("\n" in text) is terminal
