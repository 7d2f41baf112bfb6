import json
from typing import Any

import pytest

from api.openapi import openapi
from shared.model import ModelSchema, read_schemas
from shared.settings import DEFAULT_MODELS, SHIPPED_MODELS
from tests.unit.api.examples import references, write_models


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelSchema]:
    shipped = [SHIPPED_MODELS / name for name in DEFAULT_MODELS]
    return read_schemas([*write_models(tmp_path_factory.mktemp("models")), *shipped])


@pytest.fixture(scope="module")
def document(schemas: dict[str, ModelSchema]) -> Any:
    return json.loads(json.dumps(openapi(schemas, title="Penstock", version="1")))


def resolve(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def test_every_reference_leads_somewhere(document: Any) -> None:
    found = references(document)
    assert len(found) > 20
    assert all(resolve(document, reference) for reference in found)


def test_every_component_has_a_legal_name(document: Any) -> None:
    assert all(name.replace("-", "_").isidentifier() for name in document["components"]["schemas"])


def test_every_submit_is_typed_by_its_own_model(document: Any, schemas: dict[str, ModelSchema]) -> None:
    for name, schema in schemas.items():
        submit = document["paths"][f"/task/{name}"]["post"]
        body = resolve(document, submit["requestBody"]["content"]["application/json"]["schema"]["$ref"])
        assert body["title"] == f"{name}-Input"
        assert body["properties"].keys() == schema.input.model_fields.keys()
        answer = resolve(document, submit["responses"]["202"]["content"]["application/json"]["schema"]["$ref"])
        output = resolve(document, answer["properties"]["result"]["anyOf"][0]["$ref"])
        assert output["properties"].keys() == schema.output.model_fields.keys()


def test_every_example_is_accepted_by_its_own_input(document: Any, schemas: dict[str, ModelSchema]) -> None:
    for name, schema in schemas.items():
        content = document["paths"][f"/task/{name}"]["post"]["requestBody"]["content"]["application/json"]
        assert schema.input.model_validate_json(json.dumps(content["example"]))
        described = resolve(document, content["schema"]["$ref"])
        assert content["example"] in described["examples"]


def test_the_default_model_is_typed_too(document: Any) -> None:
    default = document["paths"]["/task"]["post"]
    named = document["paths"]["/task/echo"]["post"]
    assert default["requestBody"] == named["requestBody"]
    assert default["operationId"] != named["operationId"]


def test_operation_ids_are_unique(document: Any) -> None:
    operations = [
        operation for path in document["paths"].values() for operation in path.values() if "operationId" in operation
    ]
    assert len({operation["operationId"] for operation in operations}) == len(operations)


def test_a_models_own_class_named_task_clashes_with_nothing(document: Any) -> None:
    schemas = document["components"]["schemas"]
    assert "children" in schemas["shape-Task"]["properties"]
    assert "task_id" in schemas["shape-TaskDocument"]["properties"]


def test_what_a_read_task_gives_is_typed_by_its_model(document: Any, schemas: dict[str, ModelSchema]) -> None:
    read = document["paths"]["/task/{task_id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    kinds = [resolve(document, kind["$ref"]) for kind in resolve(document, read["$ref"])["anyOf"]]
    assert [kind["properties"]["model"].get("const") for kind in kinds] == [*schemas, None]


def test_every_component_is_used(document: Any) -> None:
    used = references(document)
    for part in ("schemas", "responses", "headers"):
        assert {name for name in document["components"][part] if f"#/components/{part}/{name}" not in used} == set()


def test_our_own_documents_are_open_to_more_fields(document: Any) -> None:
    closed = {name for name, body in document["components"]["schemas"].items() if "additionalProperties" in body}
    assert closed
    assert all("-" in name for name in closed)  # what a model takes and gives is its author's business
