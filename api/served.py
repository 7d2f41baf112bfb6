"""The served models as the API sees them: which there are, what each accepts, and the document of each."""

from collections.abc import Mapping, Sequence
from statistics import median_low
from typing import Any

from pydantic import BaseModel, Field

from api.problems import UNKNOWN_MODEL, Problem
from api.submission import Validate
from shared.ledger.records import ChildMemory, ModelCensus
from shared.model import ModelSchema


class LimitsDocument(BaseModel):
    """What a model allows."""

    time_limit_seconds: float = Field(description="a prediction that runs longer fails as `timeout`")
    max_batch: int


class DepthDocument(BaseModel):
    """How many tasks of a model are under way."""

    queued: int
    running: int


class MemoryDocument(BaseModel):
    """What a child of the workers that have loaded a model takes, with every other model of its worker."""

    children: int = Field(description="how many children were measured; the figures are their medians")
    pss_bytes_per_child: int = Field(
        description="what a child has to itself, and its share of what it shares with its worker's other processes"
    )
    private_bytes_per_child: int = Field(description="what a child has to itself: what one more would take")


class ModelLinks(BaseModel):
    """Paths of what can be done with a model."""

    submit: str


class ModelDocument(BaseModel):
    """A served model."""

    name: str
    description: str | None
    default: bool = Field(description="whether POST /task goes to it")
    input: dict[str, Any] = Field(description="JSON Schema of the body of a submit")
    output: dict[str, Any] = Field(description="JSON Schema of a task's result")
    example: Any = Field(description="an input to try, or null")
    limits: LimitsDocument
    queue: DepthDocument
    workers: int = Field(description="live workers that have loaded it")
    slots: int = Field(description="how many of its tasks can run at once")
    typical_run_seconds: float | None = Field(
        description="median of its latest successes, of one in a batch its share of the time; null before the first"
    )
    mean_batch_size: float | None = Field(
        description="how many tasks were computed together, in the mean of the latest times; null unless it batches"
    )
    memory: MemoryDocument | None = Field(
        description="of its workers' children, as measured last; null before that, and where none runs on Linux"
    )
    links: ModelLinks


class ModelsDocument(BaseModel):
    """Every served model, the default first."""

    models: list[ModelDocument]


class ServedModels:
    """The served models, with all that does not change worked out once."""

    def __init__(self, schemas: Mapping[str, ModelSchema]) -> None:
        self.names = tuple(schemas)
        self.default = self.names[0]
        self.validators: dict[str, Validate] = {name: s.input.model_validate_json for name, s in schemas.items()}
        self.time_limits = {name: schema.time_limit_seconds for name, schema in schemas.items()}
        self.urls = {name: schema.urls for name, schema in schemas.items()}
        self._constant = {name: _constant(schema, name == self.default) for name, schema in schemas.items()}

    def require(self, name: str) -> str:
        """Return `name` if such a model is served.

        Raises:
            Problem: unknown-model, listing those that are.
        """
        if name not in self.validators:
            raise Problem(UNKNOWN_MODEL, f"Served here: {', '.join(self.names)}.")
        return name

    def document(self, name: str, census: ModelCensus) -> dict[str, Any]:
        """Return the model document of `name`."""
        typical = census.typical_run_ms
        return {
            **self._constant[name],
            "queue": {"queued": census.queued, "running": census.running},
            "workers": census.workers,
            "slots": census.slots,
            "typical_run_seconds": None if typical is None else typical / 1000,
            "mean_batch_size": census.mean_batch,
            "memory": _memory(census.memory),
            "links": {"submit": f"/task/{name}"},
        }


def _memory(children: Sequence[ChildMemory]) -> dict[str, int] | None:
    if not children:
        return None
    return {
        "children": len(children),
        "pss_bytes_per_child": median_low(child.pss for child in children),
        "private_bytes_per_child": median_low(child.private for child in children),
    }


def _constant(schema: ModelSchema, default: bool) -> dict[str, Any]:
    return {
        "name": schema.name,
        "description": schema.description,
        "default": default,
        "input": schema.input.model_json_schema(),
        "output": schema.output.model_json_schema(mode="serialization"),
        "example": schema.example(),
        "limits": {"time_limit_seconds": schema.time_limit_seconds, "max_batch": schema.max_batch},
    }
