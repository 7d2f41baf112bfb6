"""Tasks and model folders for the tests of the API."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from shared.task import ErrorCode, Outlook, Progress, QueueView, Status, Task, TaskError

ID = "6b1f4749-c617-4f5a-b9ef-9d2dfb8e69e5"
QUEUED = Task(
    id=ID,
    model="echo",
    status=Status.QUEUED,
    created_ms=1_700_000_000_123,
    started_ms=None,
    finished_ms=None,
    expires_ms=None,
    attempt=0,
    lost=0,
    progress=None,
    result=None,
    error=None,
    queue=QueueView(1, Outlook(slots=2, workers=1, run_ms=(3000,), elapsed_ms=(1000, 2000), others=0)),
)
RUNNING = replace(
    QUEUED,
    status=Status.RUNNING,
    started_ms=1_700_000_001_000,
    attempt=1,
    queue=None,
    progress=Progress(0.5, "half"),
)
_CLOSED = replace(RUNNING, progress=None, finished_ms=1_700_000_002_000, expires_ms=1_700_086_402_000)
SUCCEEDED = replace(_CLOSED, status=Status.SUCCEEDED, result=b'{"text": "caf\xc3\xa9",  "n":1.50}')
FAILED = replace(_CLOSED, status=Status.FAILED, error=TaskError(ErrorCode.MODEL_ERROR, "The model raised ValueError."))
CANCELED = replace(_CLOSED, status=Status.CANCELED)
EVERY = (QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELED)

ECHO = '''
"""Says it again."""
from pydantic import BaseModel, ConfigDict, Field

MAX_BATCH = 4
TIME_LIMIT_SECONDS = 12


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "hello"}]})
    text: str = Field(min_length=1)
    times: int = Field(default=1, ge=1, le=3)


class Output(BaseModel):
    text: str
'''

# Nests, is recursive, and shares the names of its classes with the other model.
SHAPE = """
from typing import Annotated, Literal
from pydantic import BaseModel, ConfigDict, Field


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    kind: Literal["square"]
    side: float


class Node(BaseModel):
    children: "list[Node]" = []


class Task(BaseModel):
    children: "list[Task]" = []


class Input(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"shape": {"kind": "circle", "radius": 1}}]})
    shape: Annotated[Circle | Square, Field(discriminator="kind")]
    color: Literal["red", "blue"] = "red"
    node: Node = Node()


class Output(BaseModel):
    area: float
    task: Task
"""


def write_models(folder: Path) -> list[Path]:
    """Write two model folders; `echo` comes first."""
    for name, text in {"echo": ECHO, "shape": SHAPE}.items():
        (folder / name).mkdir()
        (folder / name / "schema.py").write_text(text)
    return [folder / "echo", folder / "shape"]


def references(part: Any) -> set[str]:
    """Every $ref in a JSON document."""
    if isinstance(part, list):
        return {ref for item in part for ref in references(item)}
    if not isinstance(part, dict):
        return set()
    own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
    return own | {ref for item in part.values() for ref in references(item)}
