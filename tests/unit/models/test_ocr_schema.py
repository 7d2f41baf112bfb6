import base64

import pytest
from pydantic import ValidationError

from models.ocr.schema import EXAMPLE, MAX_IMAGE_CHARS, Input, Line, decode_image


def test_the_example_is_short_and_accepted():
    assert len(EXAMPLE) < 1500
    assert Input(image=EXAMPLE).min_confidence == 0.5


def test_base64_may_be_broken_into_lines():
    wrapped = base64.encodebytes(base64.b64decode(EXAMPLE)).decode()
    assert "\n" in wrapped
    assert decode_image(Input(image=wrapped).image) == base64.b64decode(EXAMPLE)


def encoded(data):
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("", "at least 1 character"),
        ("\n", "neither PNG nor JPEG"),
        ("!secret!", "not base64"),
        ("naïve", "not base64"),
        ("a", "not base64"),
        ("=", "not base64"),
        (EXAMPLE + "A", "not base64"),
        ("data:image/png;base64," + EXAMPLE, "not base64"),
        (encoded(b"%PDF-1.7 secret"), "neither PNG nor JPEG"),
        (encoded(base64.b64decode(EXAMPLE)[:20]), "cut short"),
        ("A" * (MAX_IMAGE_CHARS + 1), "at most 14000000 characters"),
        (7, "valid string"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_refuses_what_is_no_image_without_repeating_it(image, message):
    with pytest.raises(ValidationError) as refused:
        Input.model_validate({"image": image})
    [error] = refused.value.errors()
    assert error["loc"] == ("image",)
    assert message in error["msg"]
    assert "secret" not in error["msg"]
    assert EXAMPLE[:20] not in str(refused.value)


@pytest.mark.parametrize("given", [{}, {"image": None}, {"image": EXAMPLE, "url": "https://example.com/"}])
def test_wants_an_image_or_a_url_and_not_both(given):
    with pytest.raises(ValidationError, match="give either image or url") as refused:
        Input.model_validate(given)
    assert EXAMPLE[:20] not in str(refused.value)


@pytest.mark.parametrize("url", ["", "x" * 2049, 7])
def test_refuses_what_is_no_url(url):
    with pytest.raises(ValidationError):
        Input.model_validate({"url": url})


def test_refuses_a_lone_surrogate():
    with pytest.raises(ValidationError):
        Input.model_validate({"image": "\ud800"})


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan"), True, "0.5", None])
def test_refuses_what_is_no_confidence(confidence):
    with pytest.raises(ValidationError):
        Input.model_validate({"image": EXAMPLE, "min_confidence": confidence})


@pytest.mark.parametrize("confidence", [0, 0.25, 1])
def test_accepts_a_confidence_from_none_to_full(confidence):
    assert Input.model_validate({"image": EXAMPLE, "min_confidence": confidence}).min_confidence == confidence


def test_a_box_has_four_corners():
    with pytest.raises(ValidationError):
        Line.model_validate({"text": "a", "confidence": 1, "box": [[0, 0], [1, 0], [1, 1]]})
