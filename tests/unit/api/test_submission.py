import pytest

from api.submission import NO_NUMBER, is_json


@pytest.mark.parametrize(
    ("content_type", "accepted"),
    [
        ("application/json", True),
        ("Application/JSON; charset=UTF-8", True),
        ('application/json;charset="utf-8"', True),
        ("application/vnd.example+json", True),
        ("application/json; profile=x", True),
        ("application/json; charset=latin-1", False),
        ("text/json", False),
        ("application/jsonp", False),
        ("application/x-www-form-urlencoded", False),
        ("", False),
    ],
)
def test_only_json_in_utf_8_is_accepted(content_type: str, accepted: bool) -> None:
    assert is_json(content_type) is accepted


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"NaN", True),
        (b'{"a": -Infinity}', True),
        (rb'{"a": "\\", "b": NaN}', True),
        (rb'{"NaN": "\" NaN", "a": "Infinity"}', False),
        (b'{"a": "NaN', False),  # broken in another way, which pydantic tells better
        (b'["NaN",' + b'"",' * 1_000_000 + b"1]", False),
    ],
    ids=["alone", "negative", "after a text", "in texts", "cut off", "long"],
)
def test_nan_is_found_where_it_is_no_text(body: bytes, found: bool) -> None:
    assert bool(NO_NUMBER.match(body)) is found
