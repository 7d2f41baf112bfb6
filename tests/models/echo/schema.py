"""Gives its input back, and notes every execution in a file that a test can read."""

from pydantic import BaseModel, ConfigDict

LOAD_IN = "parent"


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "hello"}]})

    text: str


class Output(BaseModel):
    text: str
