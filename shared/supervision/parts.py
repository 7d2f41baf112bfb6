"""The commands that run the parts of an installation, and what they get from whoever starts them."""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.settings import PREFIX

HOUSE = Path(__file__).resolve().parent.parent.parent  # the folder that holds api, worker, shared and cli


@dataclass(frozen=True, slots=True)
class Parts:
    """What `penstock up` runs beside the embedded server."""

    api: tuple[str, ...]
    worker: tuple[str, ...]


def module_command(name: str, arguments: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the command that runs the module `name` of this installation.

    With -P the working directory is not searched for it: people have folders named `api`, `worker` and `models`.
    """
    return (sys.executable, "-P", "-m", name, *arguments)


def environment(given: Mapping[str, str], settings: Mapping[str, object]) -> dict[str, str]:
    """Return `given` with these settings as PENSTOCK_* variables, and this installation importable first."""
    path = [str(HOUSE), *[part for part in given.get("PYTHONPATH", "").split(os.pathsep) if part]]
    handed_over = {f"{PREFIX}{name.upper()}": str(value) for name, value in settings.items() if value is not None}
    return {**given, "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)), **handed_over}


def options(**values: object) -> list[str]:
    """Return the command-line options of those values that are given: `--host 127.0.0.1 --log-level debug`, ..."""
    given = [(name.replace("_", "-"), value) for name, value in values.items() if value is not None]
    return [part for name, value in given for part in (f"--{name}", str(value))]


PARTS = Parts(api=module_command("api"), worker=module_command("worker"))
