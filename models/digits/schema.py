"""Tells which digit a handwritten 8 x 8 image shows, and how likely each of the ten is."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

TIME_LIMIT_SECONDS = 30
MAX_BATCH = 256
LOAD_IN = "parent"

TOLERANCE = 1e-6

# A handwritten 2.
EXAMPLE: list[JsonValue] = [
    *(0, 0, 0, 4, 15, 12, 0, 0),
    *(0, 0, 3, 16, 15, 14, 0, 0),
    *(0, 0, 8, 13, 8, 16, 0, 0),
    *(0, 0, 1, 6, 15, 11, 0, 0),
    *(0, 1, 8, 13, 15, 1, 0, 0),
    *(0, 9, 16, 16, 5, 0, 0, 0),
    *(0, 3, 13, 16, 16, 11, 5, 0),
    *(0, 0, 0, 3, 11, 16, 9, 0),
]

# Strict: `true` and "3" are no shades.
Pixel = Annotated[float, Field(strict=True, ge=0, le=16)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Input(BaseModel):
    """One image."""

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, frozen=True, json_schema_extra={"examples": [{"pixels": EXAMPLE}]}
    )

    pixels: Annotated[
        tuple[Pixel, ...],
        Field(min_length=64, max_length=64, description="8 rows of 8 shades, top left first: 0 is paper, 16 is ink"),
    ]


class Output(BaseModel):
    """The digit and how sure the model is."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    digit: Annotated[int, Field(ge=0, le=9, description="the most likely digit")]
    probabilities: Annotated[
        tuple[Probability, ...],
        Field(min_length=10, max_length=10, description="of the digits 0 to 9, in that order; their sum is 1"),
    ]

    @model_validator(mode="after")
    def _probabilities_sum_to_one(self) -> Self:
        if abs(sum(self.probabilities) - 1) > TOLERANCE:
            raise ValueError("the probabilities do not sum to 1")
        return self
