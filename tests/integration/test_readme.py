"""The README's own model, from an empty folder to a result: its files and its commands, as they stand there."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.settings import Settings
from tests.integration.conftest import free_port
from tests.integration.nodes import ROOT, Process
from tests.waiting import eventually

README = (ROOT / "README.md").read_text()


def code_after(sentence: str, language: str) -> str:
    """Return the first block of `language` after the sentence that introduces it."""
    found = re.search(rf"```{language}\n(.*?)```", README[README.index(sentence) :], re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[tuple[Process, str]]:
    """`penstock up` with the README's model, in the folder where the reader saved it."""
    folder = tmp_path / "shout"
    folder.mkdir()
    (folder / "schema.py").write_text(code_after("Save this as `shout/schema.py`", "python"))
    (folder / "model.py").write_text(code_after("Save this as `shout/model.py`", "python"))
    setting, _, command = code_after("Name the folder, and it is served", "sh").strip().partition(" ")
    name, _, value = setting.partition("=")
    assert command == ".venv/bin/penstock up"
    port = free_port()
    environment = {
        name: value,
        "PENSTOCK_API_PORT": str(port),
        "PENSTOCK_CONCURRENCY": "1",
        "PENSTOCK_DATA_DIR": str(tmp_path / "data"),
        "PYTHONPATH": str(ROOT),
    }
    process = Process("-m", "cli", "up", environment=environment, directory=tmp_path)
    yield process, f"http://127.0.0.1:{port}"
    process.popen.terminate()
    assert process.wait(40) == 0, process.logs()
    process.close()


def test_a_model_of_ones_own_is_served_from_its_folder(up: tuple[Process, str], tmp_path: Path) -> None:
    process, url = up
    eventually(lambda: "ready in" in process.logs(), within=40)
    command = shlex.split(code_after("PENSTOCK_MODELS=shout .venv/bin/penstock up\n```", "sh"))
    assert command[0] == ".venv/bin/penstock"

    submitted = subprocess.run(
        [sys.executable, "-m", "cli", *command[1:]],
        cwd=tmp_path,
        env={**os.environ, "PENSTOCK_URL": url, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert submitted.returncode == 0, submitted.stderr
    document = json.loads(submitted.stdout)
    assert document["status"] == "succeeded"
    assert f'"result": {json.dumps(document["result"])}' in README


def test_every_setting_is_in_the_table() -> None:
    told = set(re.findall(r"`PENSTOCK_([A-Z_]+)`", README)) - {"SECRETS_DIR", "API_KEY"}

    assert told == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
