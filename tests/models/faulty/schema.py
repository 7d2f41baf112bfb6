"""Goes wrong in the way that it is asked to."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

TIME_LIMIT_SECONDS = 3


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"fault": "raise"}]})

    fault: Literal["raise", "tell", "exit", "die", "spin", "unplug", "wrong_type", "no_result", "nan_progress", "none"]


class Output(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)

    number: float
