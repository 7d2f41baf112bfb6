"""Gives back a text as large as the one that came in."""

from pydantic import BaseModel, ConfigDict

TIME_LIMIT_SECONDS = 30
LOAD_IN = "parent"


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "hello"}]})

    text: str


class Output(BaseModel):
    text: str
