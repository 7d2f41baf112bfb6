"""The Celery side of the contract: queue names, the one task name, and the message that is put into a queue.

A message is a hint that a task may be claimed; it carries the task's id and nothing else that matters. It is an
ordinary Celery protocol-2 message, so a stock Celery worker, Flower or any other Celery tool sees an ordinary task
whose Celery id is Penstock's task id. tests/contract/test_message.py holds it against what `app.send_task` sends.
"""

import base64
import json
from typing import Any

from celery import Celery
from kombu.serialization import dumps

from shared.address import authority, parse_address
from shared.task import DEFAULT_PRIORITY, PRIORITIES

PREDICT = "penstock.predict"  # the Celery task's name

# Stand-ins for what differs between two messages. They are as long as they like: only their place matters.
ID = "{penstock-id}"
QUEUE = "{penstock-queue}"
TAG = "{penstock-tag}"  # kombu's delivery tag: unique for every push, also of the same task
LEVEL = "{penstock-level}"  # the message's place in the order of urgency, a number

# Celery's Redis transport has a list for each step of urgency and pops from the first that is not empty, 0 being the
# most urgent. These are its default steps (kombu 5.7), so a stock worker finds every list.
LEVELS = (0, 3, 6, 9)


def queue_name(model: str) -> str:
    """Return the Celery queue of a model."""
    return f"penstock.{model}"


def list_key(model: str, priority: int = DEFAULT_PRIORITY) -> str:
    """Return the key of the list in Redis that holds a queue's messages of one priority, as kombu names it."""
    return f"{queue_name(model)}{list_suffix(priority)}"


def list_suffix(priority: int) -> str:
    """Return what kombu appends to a queue's name for a priority; nothing for the most urgent."""
    level = level_of(priority)
    return f"\x06\x16{level}" if level else ""


def level_of(priority: int) -> int:
    """Return Celery's number for one of our priorities: theirs counts down to the most urgent."""
    return LEVELS[len(PRIORITIES) - 1 - priority]


def message_template() -> str:
    """Return the message as JSON text in which ID, QUEUE, TAG and LEVEL stand for what differs.

    Built by Celery's own functions, once per process. `reply_to` and `origin` name the sending process in Celery's
    messages; here they are constant, since every API process and every reaper sends the same message.
    """
    with Celery("penstock", set_as_current=False) as app:
        message = app.amqp.create_task_message(
            ID,
            PREDICT,
            args=(),
            kwargs={},
            argsrepr="()",
            kwargsrepr="{}",
            ignore_result=True,
            origin="penstock",
        )
    content_type, content_encoding, body = dumps(message.body, serializer="json")
    text = json.dumps(
        {
            "body": _base64(body),
            "content-encoding": content_encoding,
            "content-type": content_type,
            "headers": message.headers,
            "properties": _properties(message.properties),
        }
    )
    return text.replace(f'"{LEVEL}"', LEVEL)  # the only one that is no string


def _base64(body: str) -> str:
    return base64.b64encode(body.encode()).decode()


def _properties(given: dict[str, Any]) -> dict[str, Any]:
    """Add what kombu's Redis transport adds on its way to LPUSH (kombu 5.7, virtual/base.py and redis.py)."""
    return {
        **given,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": QUEUE},
        "priority": LEVEL,
        "body_encoding": "base64",
        "delivery_tag": TAG,
    }


def broker_url(redis_url: str) -> str:
    """Return the URL by which kombu reaches the same Redis, without its options: kombu reads them otherwise.

    It has a scheme of its own for unix sockets, and a URL for each sentinel.
    """
    address = parse_address(redis_url)
    who = authority(address)
    if address.socket:
        return f"redis+socket://{who}{address.socket}?virtual_host={address.database}"
    scheme = "sentinel" if address.primary else "redis" if address.tls is None else "rediss"
    return ";".join(f"{scheme}://{who}{_place(*host)}/{address.database}" for host in address.hosts)


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
