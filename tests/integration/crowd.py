"""Tasks of the crowd model, whose neighbours in a batch are to pay for nothing that one of them does."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis.client import PubSub

from shared.ledger.connection import Ledger
from shared.task import Task
from tests.contract.steps import read, submit
from tests.integration.nodes import ROOT
from tests.waiting import eventually

CROWD = ROOT / "tests/models/crowd"


def queue(ledger: Ledger, *behaviours: str, model: str = "crowd", **more: Any) -> list[str]:
    """Submit a task for each behaviour, straight to the ledger; its token is its number."""
    inputs = ({"token": str(n), "behave": behave, **more} for n, behave in enumerate(behaviours))
    return [submit(ledger, model=model, input=json.dumps(input).encode()) for input in inputs]


def ended(ledger: Ledger, ids: Sequence[str], within: float = 40) -> list[Task]:
    """Wait until all of these tasks have ended."""
    eventually(lambda: all(read(ledger, id).is_final for id in ids), within=within)
    return [read(ledger, id) for id in ids]


def outcomes(tasks: Sequence[Task]) -> list[str]:
    """How each ended: its error's code, or its status."""
    return [task.error.code.value if task.error else task.status.value for task in tasks]


def results(tasks: Sequence[Task]) -> list[str]:
    """The tokens that came out."""
    return [json.loads(task.result or b"{}").get("token") for task in tasks]


def executions(log: Path) -> list[list[str]]:
    """The tokens that were computed together, each time that any were."""
    return [line["tokens"] for line in lines(log) if "tokens" in line]


def loads(log: Path) -> list[int]:
    """The processes that have loaded the model, once for each time."""
    return [line["pid"] for line in lines(log) if "loaded" in line]


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def many(ledger: Ledger, count: int, **more: Any) -> list[str]:
    """Submit tasks to the model that computes one at a time."""
    return queue(ledger, *["succeed"] * count, model="single", **more)


def gated(ledger: Ledger, gate: Path, model: str = "single") -> str:
    """Submit a task that waits for a file."""
    return submit(ledger, model=model, input=json.dumps({"token": "gated", "gate": str(gate)}).encode())


def order(log: Path) -> list[str]:
    """The first token of each computation."""
    return [tokens[0] for tokens in executions(log)]


def variant(folder: Path, source: Path = CROWD, **constants: Any) -> Path:
    """Copy a model under another name, with other constants in its schema."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "schema.py").open("a") as schema:
        schema.writelines(f"{name} = {value!r}\n" for name, value in constants.items())
    return folder


class Ends:
    """How often each task was published as ended, as the ledger has said it."""

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub
        self._seen: Counter[str] = Counter()

    def count(self) -> Counter[str]:
        while message := self._pubsub.get_message(timeout=0.1):
            if message["type"] == "pmessage" and message["data"] in (b"succeeded", b"failed", b"canceled"):
                self._seen[message["channel"].decode().rpartition(":")[2]] += 1
        return self._seen


@contextmanager
def watched(ledger: Ledger) -> Iterator[Ends]:
    """Count ends from here on."""
    with ledger.client.pubsub() as pubsub:
        pubsub.psubscribe("penstock:task:*")
        eventually(lambda: (pubsub.get_message(timeout=1) or {}).get("type") == "psubscribe")
        yield Ends(pubsub)
