"""The schemas of the OpenAPI document: the documents of the API, and for each model what it takes and gives. Pure.

A model's components are named `<model>-<class>`, so that two models' Inputs (and whatever they nest) do not clash. Not
with a dot between, which datamodel-code-generator takes for modules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.document import TaskDocument, TasksDocument
from api.parameters import SCHEMAS
from api.problems import ProblemDocument
from api.served import ModelDocument, ModelsDocument
from api.state import LiveDocument, ReadyDocument
from shared.model import ModelSchema

DOCUMENTS = (TaskDocument, TasksDocument, ProblemDocument, ModelsDocument, ModelDocument, LiveDocument, ReadyDocument)

Schema = dict[str, Any]

# Before 3.2 OpenAPI has no word for the events of a stream: tools take the schema of the stream for that of one event.
EVENT: Schema = {
    "oneOf": [
        {
            "type": "object",
            "title": "A change",
            "required": ["event", "data", "id"],
            "properties": {
                "event": {"const": "task"},
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {"$ref": f"{SCHEMAS}AnyTask"},
                },
                "id": {"type": "string", "description": "to be sent as Last-Event-ID"},
            },
        },
        {
            "type": "object",
            "title": "The end",
            "required": ["event", "data"],
            "properties": {"event": {"enum": ["end", "gone"]}, "data": {"const": "{}"}},
        },
    ]
}


@dataclass(frozen=True, slots=True)
class ModelComponents:
    """The components of one model: references to its Input and its task document, and every schema by its name."""

    input: Schema
    task: Schema
    schemas: dict[str, Schema]


def document_schemas() -> dict[str, Schema]:
    """Return the schemas of everything the API answers with, a task's result being anything.

    They are open: a client that is made from them must not break when there is one field more.
    """
    serialized: list[tuple[type[BaseModel], JsonSchemaMode]] = [(document, "serialization") for document in DOCUMENTS]
    _, found = models_json_schema(serialized, ref_template=f"{SCHEMAS}{{model}}")
    return {name: _open(body) for name, body in found["$defs"].items()}


def model_components(schema: ModelSchema, task: Schema) -> ModelComponents:
    """Return the components of one model; `task` is the schema of TaskDocument, which its own is made from."""
    references, found = models_json_schema(
        [(schema.input, "validation"), (schema.output, "serialization")],
        ref_template=f"{SCHEMAS}{schema.name}-{{model}}",
    )
    schemas = {f"{schema.name}-{part}": body for part, body in found["$defs"].items()}
    for name, body in schemas.items():
        body["title"] = name
    # A model may have called one of its own classes Task.
    own = f"{schema.name}-Task" if f"{schema.name}-Task" not in schemas else f"{schema.name}-TaskDocument"
    schemas[own] = _task_of(schema.name, own, task, references[schema.output, "serialization"])
    return ModelComponents(references[schema.input, "validation"], reference(own), schemas)


def reference(name: str) -> Schema:
    """Return what stands for the component `name` elsewhere in the document."""
    return {"$ref": f"{SCHEMAS}{name}"}


def all_schemas(documents: Mapping[str, Schema], models: Mapping[str, ModelComponents]) -> dict[str, Schema]:
    """Return every schema of the document by its name.

    An AnyTask is told by its `model`; the result of one whose model is no longer served could be anything.
    """
    return {
        **documents,
        "AnyTask": {"anyOf": [*(model.task for model in models.values()), reference("TaskDocument")]},
        "TaskEvent": EVENT,
        **{name: body for model in models.values() for name, body in model.schemas.items()},
    }


def _open(schema: Schema) -> Schema:
    return {name: part for name, part in schema.items() if (name, part) != ("additionalProperties", False)}


def _task_of(model: str, title: str, task: Schema, output: Schema) -> Schema:
    properties = {
        **task["properties"],
        "model": {"const": model, "title": "Model", "type": "string"},
        "result": {"anyOf": [output, {"type": "null"}], "title": "Result"},
    }
    return {**task, "title": title, "properties": properties}
