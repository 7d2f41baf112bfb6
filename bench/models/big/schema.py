"""Gives back what came in, after a walk through 400 MB of weights that are loaded once, before the fork."""

from pydantic import BaseModel, ConfigDict

TIME_LIMIT_SECONDS = 30
LOAD_IN = "parent"


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"value": 7}]})

    value: int


class Output(BaseModel):
    value: int
