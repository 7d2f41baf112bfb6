"""API keys: what is asked of a client, and what is kept of it. Pure.

A key is 256 random bits, so one SHA-256 of it is as good as the slow hashes that passwords need, and is all that is
stored: `name:sha256hex`. Several keys may have one name, so that a client can change over from one to the next.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

PREFIX = "penstock_"  # lets a secret scanner know one
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key as the server knows it: whose it is, and its digest."""

    name: str
    digest: str

    def __str__(self) -> str:
        """Return the line that PENSTOCK_API_KEYS takes."""
        return f"{self.name}:{self.digest}"


def new_key() -> str:
    """Return a key that nobody has."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(key: str) -> str:
    """Return what is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def parse_lines(text: str) -> tuple[KeyLine, ...]:
    """Read `name:sha256hex`, separated by commas or lines; a line that begins with # is a comment.

    Raises:
        ValueError: naming the place of the entry that is wrong, not the entry, which may be a key itself.
    """
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    entries = [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]
    return tuple(_parse(entry, place) for place, entry in enumerate(entries, start=1))


def owner_of(key: str, lines: Iterable[KeyLine]) -> str | None:
    """Return whose key this is, or None. Compares with every line, in a time that tells nothing of any."""
    found = None
    given = digest(key)
    for line in lines:
        if hmac.compare_digest(given, line.digest):
            found = line.name
    return found


def callback_secret(master: str, owner: str) -> str:
    """Return the secret by which an owner's receivers know a callback (Standard Webhooks: `whsec_` and base64).

    One for each owner, so that none can sign what another's receivers would believe.
    """
    made = hmac.digest(master.encode(), b"penstock callback\0" + owner.encode(), hashlib.sha256)
    return f"whsec_{base64.b64encode(made).decode()}"


def _parse(entry: str, place: int) -> KeyLine:
    name, _, found = entry.partition(":")
    if not NAME.fullmatch(name) or not DIGEST.fullmatch(found.lower()):
        raise ValueError(
            f"entry {place} is not NAME:SHA256 (a name of 1 to 64 letters, digits, dots, dashes and underscores, "
            "a colon, 64 hexadecimal digits); `penstock keys new NAME` prints such a line"
        )
    return KeyLine(name, found.lower())
