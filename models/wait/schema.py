"""Keeps one core busy for some seconds, reporting progress: a long computation without its dependencies."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

TIME_LIMIT_SECONDS = 30
LOAD_IN = "parent"


class Input(BaseModel):
    """How long to compute."""

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, frozen=True, json_schema_extra={"examples": [{"wait_time": 3}]}
    )

    # Strict: `true` and "3" are no numbers of seconds.
    wait_time: Annotated[int, Field(strict=True, ge=1, le=10, description="seconds to compute for")] = 1


class Output(BaseModel):
    """What was done."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    message: Annotated[str, Field(description="`task done after <wait_time>`")]
    waited_seconds: Annotated[float, Field(ge=0, description="how long it really took")]
