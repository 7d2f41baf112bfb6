"""Gives the answer that its token demands, notes every execution, and goes wrong in the way that it is asked to."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LOAD_IN = "parent"
TIME_LIMIT_SECONDS = 6


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"token": "a"}]})

    token: str
    seconds: float = Field(default=0.0, ge=0, le=60)
    reports: int = Field(default=0, ge=0, le=100, description="how often progress is reported on the way")
    behave: Literal["succeed", "raise", "die", "spin"] = "succeed"


class Output(BaseModel):
    token: str
    answer: str
