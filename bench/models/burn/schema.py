"""Gives back what came in, after 20 ms of CPU time."""

from pydantic import BaseModel, ConfigDict

TIME_LIMIT_SECONDS = 30
LOAD_IN = "parent"


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"value": 7}]})

    value: int


class Output(BaseModel):
    value: int
