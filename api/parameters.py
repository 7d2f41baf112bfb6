"""The parameters and headers of the OpenAPI document. Pure."""

from typing import Any

from pydantic import BaseModel

from api.idempotency import HEADER, LONGEST_KEY

Json = dict[str, Any]
SCHEMAS = "#/components/schemas/"
TEXT: Json = {"type": "string"}

PREFER: Json = {
    "name": "Prefer",
    "in": "header",
    "description": "`wait=N`: wait up to N seconds for the end, or as long as this server allows (RFC 7240)",
    "schema": {"type": "string"},  # and no example: /docs would send it
}
IDEMPOTENCY_KEY: Json = {
    "name": HEADER,
    "in": "header",
    "description": "the same key with the same request is the same task, as long as that is kept",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!#-~]+$"},
}
IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "description": "an ETag from before: 304 if the task still reads the same",
    "schema": {"type": "string"},
}
LAST_EVENT_ID: Json = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "the id of the last event that came: it is not sent again",
    "schema": {"type": "string"},
}


def header(description: str, schema: Json) -> Json:
    """Return the description of one header of an answer."""
    return {"description": description, "schema": schema}


HEADERS = {
    "X-Request-ID": header("the request's id, in the log too: the client's own, if that is a sensible one", TEXT),
    "X-Content-Type-Options": header("nosniff", TEXT),
    "Cache-Control": header("no-store, but for a final task: that may be kept as long as it is kept here", TEXT),
    "Retry-After": header("in how many seconds to ask again", {"type": "integer", "minimum": 1}),
    "Location": header("the task's path", TEXT),
    "Content-Location": header("the path under which a cache may have the task", TEXT),
    "Preference-Applied": header("how long the answer was waited for at most", TEXT),
    "Vary": header("what the answer depends on beside the path", TEXT),
    "ETag": header("changes with whatever the document says", TEXT),
    "Idempotency-Replayed": header("`true`: this is the task that came with the key before", TEXT),
    "RateLimit-Policy": header("how many requests are allowed, and in how many seconds", TEXT),
    "RateLimit": header("how many more are, and in how many seconds all will be", TEXT),
    "WWW-Authenticate": header("Bearer", TEXT),
    "X-Accel-Buffering": header("no: a proxy is to pass events on as they come", TEXT),
}


def named(*names: str) -> Json:
    """Return these of HEADERS, by reference."""
    assert HEADERS.keys() >= {*names}  # noqa: S101 (a reference that leads nowhere is a defect of ours)
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


EVERYWHERE = named("X-Request-ID", "X-Content-Type-Options", "Cache-Control")
LOCATION = named("Location")
CONTENT_LOCATION = named("Content-Location")
RETRY_AFTER = named("Retry-After")
WAITED = named("Preference-Applied", "Vary")
REPLAYED = named("Idempotency-Replayed")
RATE_FIELDS = named("RateLimit-Policy", "RateLimit")
CACHING = named("ETag", "Vary")
CHALLENGE = named("WWW-Authenticate")


def query_parameters(kind: type[BaseModel], **maxima: float) -> list[Json]:
    """Return the query parameters that a `kind` reads; `maxima` are those that its own schema cannot know."""
    parameters = []
    for name, option in kind.model_json_schema(ref_template=f"{SCHEMAS}{{model}}")["properties"].items():
        schema = {key: value for key, value in _not_null(option).items() if key not in ("title", "description")}
        if name in maxima:
            schema["maximum"] = maxima[name]
        parameters.append({"name": name, "in": "query", "description": option["description"], "schema": schema})
    return parameters


def in_path(name: str, schema: Json) -> Json:
    """Return a parameter that is a part of the path."""
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _not_null(option: Json) -> Json:
    """Return the schema of a value that is given; None stands for a parameter that is not."""
    kinds = option.get("anyOf")
    return option if kinds is None else next(kind for kind in kinds if kind.get("type") != "null")
