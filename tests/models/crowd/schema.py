"""Computed together, and goes wrong in the way that each input asks for; notes who was computed with whom."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LOAD_IN = "parent"
MAX_BATCH = 8
TIME_LIMIT_SECONDS = 3


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"token": "a"}]})

    token: str
    behave: Literal["succeed", "raise", "invalid", "absurd", "miscount", "die", "spin", "burn"] = "succeed"
    gate: str = Field(default="", description="a file that is waited for")
    seconds: float = 0.0


class Output(BaseModel):
    token: str
    number: int = Field(ge=0)
    inverse: float = 1.0

    def model_post_init(self, context: object) -> None:
        self.inverse = 1000 / (self.number - 13)  # a defect of its own: pydantic makes no ValidationError of it
