"""Says what it does, in every way that there is, and goes wrong in the way that it is asked to."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LOAD_IN = "child"


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "hello"}]})

    text: str
    how: Literal["talk", "wait", "raise", "tell", "nest", "invalid"] = "talk"
    seconds: float = Field(default=0.0, ge=0, le=60)


class Output(BaseModel):
    number: int
