"""Reads the text of an image: a photographed, scanned or rendered page, line by line, with where each line is."""

import base64
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from .image_header import read_image_header

TIME_LIMIT_SECONDS = 120
LOAD_IN = "child"  # onnxruntime does not survive a fork
URLS = ("url",)

MAX_IMAGE_CHARS = 14_000_000

# "Penstock reads this", black on white.
EXAMPLE = (
    "iVBORw0KGgoAAAANSUhEUgAAAO0AAAApAQAAAADxT5OAAAABUUlEQVR42u2TvUoDQRSFv5ksGkHNioUJ/q02tukFnTQ+gYUIwoqFbcBWkgn6"
    "HHEfwToIrtqkMw9gsUEhKSxWIjjKZsdiRbAwjWCV01y4H+cU53KFZYTeJSM1xn/Gr1+zD7zSASRDZ7Q7BSD4ue9/47dfnOUMjwrHJompl9NJ"
    "EdejwWN61E0L5ji04UnhvmGNA/SDbi0hDsRgdzFYNsYEpevK0FCvIYFedfbKNHv6gjZLzbuHgb5gQz/YLZCQ5NWccMjHnr7EW3NcR3ka4VIB"
    "CVMdvByE21jFtrJu3/NBIkKQILsKPFxUqqHxATwB0M7CgVxWgwZEDAcAtLLOV2N4JiaUIdRbwIoG2MxwGQB1g4gQIRSjHxczHT7AuJGuQrQT"
    "J6ECsDrDJYV110v6kD04tN6MvmVKw3lWeLHMxDSu788D/ulC3t/fegFxBmL8gv+OPwEyUXXDJht6FgAAAABJRU5ErkJggg=="
)


def decode_image(text: str) -> bytes:
    """Decode base64, which may be broken into lines.

    Raises:
        ValueError: it is not base64 (a `data:` URL is not).
    """
    try:
        return base64.b64decode(text.encode("ascii").translate(None, b" \t\r\n"), validate=True)
    except ValueError:
        raise ValueError("the image is not base64") from None


def _is_image(text: str) -> str:
    read_image_header(decode_image(text))
    return text


Ratio = Annotated[float, Field(ge=0, le=1)]
Point = tuple[float, float]


class Input(BaseModel):
    """One image to read, in the request or at a URL."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"image": EXAMPLE}]},
    )

    image: Annotated[
        Annotated[str, Field(min_length=1, max_length=MAX_IMAGE_CHARS), AfterValidator(_is_image)] | None,
        Field(
            description="a PNG or JPEG in base64, at most 10000 pixels a side and 40 million in all",
            json_schema_extra={"contentEncoding": "base64"},
        ),
    ] = None
    url: Annotated[
        Annotated[str, Field(min_length=1, max_length=2048)] | None,
        Field(
            description="where to fetch the image instead, if this server fetches anything",
            json_schema_extra={"format": "uri"},
        ),
    ] = None
    min_confidence: Annotated[
        float, Field(strict=True, ge=0, le=1, description="leave out lines that the model is less sure of")
    ] = 0.5

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if (self.image is None) == (self.url is None):
            raise ValueError("give either image or url")
        return self


class Line(BaseModel):
    """One line of text."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    text: str
    confidence: Ratio
    box: Annotated[
        tuple[Point, ...],
        Field(
            min_length=4,
            max_length=4,
            description="its corners in pixels of the upright image, [x, y], clockwise from the top left",
        ),
    ]


class Output(BaseModel):
    """The text that was found; empty if there is none."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    lines: Annotated[tuple[Line, ...], Field(description="in reading order: from the top, and from the left in a row")]
    text: Annotated[str, Field(description="the text of all lines, a line each")]
