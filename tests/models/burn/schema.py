"""Keeps a processor busy for about a minute, in the way that it is asked to."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

TIME_LIMIT_SECONDS = 60
LOAD_IN = "parent"


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"how": "none"}]})

    how: Literal["python", "numpy", "pow", "sleep", "none"]
    seconds: float = Field(default=60, ge=0, description="how long python and sleep go on; a C call cannot be told")


class Output(BaseModel):
    pid: int = Field(description="the child that ran it")
