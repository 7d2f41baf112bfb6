"""Idempotency-Key: how a client says that a submit is the same as one before. Pure.

The syntax is that of draft-ietf-httpapi-idempotency-key-header-06, a quoted string; most clients send the key bare, and
both are taken for the same key. How long a key holds: as long as its task is kept.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from api.problems import BAD_HEADER, Problem
from shared.ledger.records import Key
from shared.model import json_of

HEADER = "Idempotency-Key"
LONGEST_KEY = 255
QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')  # RFC 8941, 3.3.3
BARE = re.compile(r"[!#-~]+")


def read_key(values: Sequence[str]) -> str | None:
    """Return the key in the header's `values`, unquoted; None without the header.

    Raises:
        Problem: bad-header; it is empty, too long, given twice, or has characters that no key may have.
    """
    if not values:
        return None
    text = values[0].strip()
    quoted = QUOTED.fullmatch(text)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text if BARE.fullmatch(text) else ""
    if len(values) > 1 or not 0 < len(key) <= LONGEST_KEY:
        raise Problem(
            BAD_HEADER, f"{HEADER} is 1 to {LONGEST_KEY} visible ASCII characters, in quotes or bare, and given once."
        )
    return key


def make_key(key: str, model: str, input: BaseModel, body: bytes, options: Mapping[str, object]) -> Key:
    """Return what the ledger is told: digests, so that neither the key nor the input shows in a key's name.

    Two requests are the same if the model reads them as the same input: spaces, the order of fields and defaults that
    are spelt out make no difference.
    """
    asked = repr(sorted(options.items())).encode()
    return Key(_digest(key.encode()), _digest(model.encode(), asked, _canonical(input, body)))


def _canonical(input: BaseModel, body: bytes) -> bytes:
    try:
        return json_of(input)
    except (PydanticSerializationError, UnicodeError):  # an Input may have types that it reads and cannot write
        return body


def _digest(*parts: bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.hexdigest()
