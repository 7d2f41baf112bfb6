"""Models that take memory and time to load, written where a test wants them."""

import json
import os
from pathlib import Path
from typing import Any

SCHEMA = """
from pydantic import BaseModel
LOAD_IN = {load_in!r}
class Input(BaseModel): pass
class Output(BaseModel): pid: int
"""
# Every load is noted with when it began and ended: a line in one write, so whole whoever else writes.
MODEL = """
import json, os, time
from .schema import Input, Output

def note(began):
    line = {{"pid": os.getpid(), "began": began, "ended": time.monotonic()}}
    log = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, json.dumps(line).encode() + b"\\n")
    os.close(log)

class Model:
    def __init__(self):
        began = time.monotonic()
{load}
        note(began)

    def predict(self, input: Input) -> Output:
{predict}
        return Output(pid=os.getpid())
"""


class HeavyModel:
    """A model's folder, made of a few statements."""

    def __init__(self, folder: Path, load_in: str, load: str, predict: str = "pass") -> None:
        self.folder = folder
        self._log = folder / "loads"
        folder.mkdir()
        (folder / "schema.py").write_text(SCHEMA.format(load_in=load_in))
        parts = {name: _indented(text) for name, text in {"load": load, "predict": predict}.items()}
        (folder / "model.py").write_text(MODEL.format(log=str(self._log), **parts))

    def loads(self) -> list[dict[str, Any]]:
        """Every load that has ended, in the order of their ends."""
        return [json.loads(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []

    def environment(self, children: int) -> dict[str, str]:
        """What a worker with this model is told."""
        return {"PENSTOCK_MODELS": str(self.folder), "PENSTOCK_CONCURRENCY": str(children)}


def _indented(text: str) -> str:
    return "\n".join(f"        {line}" for line in text.splitlines())


def overlapping(loads: list[dict[str, Any]]) -> int:
    """Count how many ran at the same time at most."""
    return max(sum(each["began"] <= at["began"] < each["ended"] for each in loads) for at in loads)


def cgroup(folder: Path, room: int) -> str:
    """Write what a cgroup that leaves `room` bytes looks like; return a program that is a worker inside of it."""
    folder.mkdir()
    (folder / "own").write_text("0::/\n")
    (folder / "memory.max").write_text(str(room))
    (folder / "memory.current").write_text("0")
    (folder / "memory.stat").write_text("")
    return (
        "from pathlib import Path; from worker import room; from worker.__main__ import main;"
        f"room.CGROUPS = Path({os.fspath(folder)!r}); room.OWN_CGROUPS = room.CGROUPS / 'own';"
        "raise SystemExit(main([]))"
    )
