"""What a cache may keep of a task, and whether a client already has it (RFC 9110, 13; RFC 9111). Pure."""

import hashlib
import re
from collections.abc import Iterable

from shared.task import DeliveryState, Task

NO_STORE = "no-store"
TAG = re.compile(r'(?:W/)?("[!#-~\x80-\xff]*")')


def etag(around_result: Iterable[bytes]) -> str:
    """Return the entity tag of a task's document.

    A result may be large, and does not change once it is there: the tag goes by everything around it, which has the
    attempt and when it finished.
    """
    return f'"{hashlib.blake2b(b"".join(around_result), digest_size=12).hexdigest()}"'


def is_known(if_none_match: Iterable[str], tag: str) -> bool:
    """Tell whether the values of If-None-Match name `tag`, or anything."""
    values = [value.strip() for value in if_none_match]
    return "*" in values or tag in (found for value in values for found in TAG.findall(value))


def cache_control(task: Task, now_ms: int) -> str:
    """Return how long an answer with `task` may be kept: not at all while it can change, else as long as the task.

    While somebody is yet to be told of its end, the document says how that goes.

    `private`, since a task is its owner's.
    """
    if not task.is_final or task.expires_ms is None:
        return NO_STORE
    if task.callback is not None and task.callback.state is DeliveryState.PENDING:
        return "private, no-cache"
    return f"private, max-age={max(0, (task.expires_ms - now_ms) // 1000)}, immutable"
