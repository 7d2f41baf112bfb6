"""What a message says: the id of a task that may be claimed, or nothing that is ours. Pure."""

import json
from uuid import UUID


def named_in(message: bytes) -> str:
    """Return the task that a message names; an empty string if it is none of ours."""
    try:
        return str(json.loads(message)["headers"]["id"])
    except (ValueError, KeyError, TypeError):
        return ""


def is_id(text: str) -> bool:
    """Tell whether a message's id can be a task's: the queue is Redis's, and anyone may have put something in."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
