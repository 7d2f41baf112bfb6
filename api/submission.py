"""A submission: the body of a POST, checked before anything is stored. What is checked is stored as it came."""

import re
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from api.problems import BROKEN_JSON, UNSUPPORTED_MEDIA_TYPE, Problem, invalid, invalid_body
from shared.model import read_json
from shared.outward import ForbiddenError, Rule, check_url

# What may be one of the words that pydantic takes for numbers: it begins the body, or follows what a value may follow.
# A pattern each, since a search for a fixed word is ten times as fast as one for either.
SUSPECTS = [re.compile(rb"%b(?<![^ \t\r\n:\[,-]%b)" % (word, word)) for word in (b"NaN", b"Infinity")]
# No word of JSON has one of these letters, so they stand in a text or where NaN and Infinity do. It never goes back.
NO_NUMBER = re.compile(rb'(?:[^"NI]++|"(?:[^"\\]++|\\.)*+")*+[NI]', re.DOTALL)
Validate = Callable[[bytes], BaseModel]  # an Input's model_validate_json


async def read_body(request: Request, validate: Validate) -> tuple[bytes, BaseModel]:
    """Return the body of `request`, and the input that `validate` makes of it.

    Raises:
        Problem: unsupported-media-type, broken-json, or invalid-input naming each field.
    """
    _require_json(request)
    body = await request.body()
    if not body or body.isspace():
        raise Problem(BROKEN_JSON, "The body is empty; send the model's input as JSON, at least {}.")
    if has_no_number(body):
        raise Problem(BROKEN_JSON, "Invalid JSON: NaN and Infinity are no numbers of it.")
    try:
        return body, read_json(validate, body)
    except ValidationError as error:
        raise invalid_body(error) from None  # its text quotes the input, which no log needs


def require_fetchable(input: BaseModel, fields: Sequence[str], rules: Sequence[Rule]) -> None:
    """Refuse an input that names a URL which its model could not fetch; what its host resolves to is looked at then.

    Raises:
        Problem: invalid-input, naming the field.
    """
    for name in fields:
        url = getattr(input, name)
        if url is None:
            continue
        try:
            check_url(str(url), rules)
        except ForbiddenError as error:
            raise invalid([{"loc": ["body", name], "msg": f"Not allowed: {error}", "type": "url_forbidden"}]) from None


def has_no_number(body: bytes) -> bool:
    """Tell of NaN and Infinity: JSON has no words for them, and pydantic reads them unless all of an Input forbids it.

    Looking for the words costs half a microsecond, and 20 ms with 16 MiB. Only where one is found that could be a
    value (base64 has every word of three letters in it), be it in a text, the body is gone through, which takes 0.4 s
    at worst and makes no objects.
    """
    return any(suspect.search(body) for suspect in SUSPECTS) and NO_NUMBER.match(body) is not None


def _require_json(request: Request) -> None:
    headers = request.headers
    if len(kinds := headers.getlist("content-type")) != 1 or not is_json(kinds[0]):
        raise Problem(
            UNSUPPORTED_MEDIA_TYPE,
            "Send the model's input with Content-Type: application/json, in UTF-8.",
            headers={"Accept": "application/json"},
        )
    if any(coding.strip().lower() not in ("identity", "") for coding in headers.getlist("content-encoding")):
        raise Problem(
            UNSUPPORTED_MEDIA_TYPE,
            "Send the body without Content-Encoding; it is not decompressed.",
            headers={"Accept-Encoding": "identity"},
        )


def is_json(content_type: str) -> bool:
    """Tell whether a Content-Type is application/json or application/<...>+json, in UTF-8."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    kind, _, subtype = media_type.partition("/")
    if kind != "application" or not (subtype == "json" or subtype.endswith("+json")):
        return False
    charsets = [value.strip('" ') for name, _, value in (p.partition("=") for p in parameters) if name == "charset"]
    return all(charset in ("utf-8", "utf8") for charset in charsets)
