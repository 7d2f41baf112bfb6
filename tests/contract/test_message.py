"""The message is an ordinary Celery protocol-2 message: held against Celery's own, and read by a stock worker."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from shared.ledger.connection import Ledger
from shared.queue import ID, LEVEL, PREDICT, QUEUE, TAG, broker_url, list_key, message_template, queue_name
from tests.contract.steps import claim, release, submit
from tests.redis_server import RedisServer
from tests.waiting import eventually

GOLDEN = Path(__file__).parent / "message.json"


def sent_by_us(ledger: Ledger) -> tuple[str, dict[str, Any]]:
    id = submit(ledger)
    message: dict[str, Any] = json.loads(ledger.client.rpop(list_key("wait")))
    return id, message


def sent_by_celery(ledger: Ledger, server: RedisServer, id: str) -> dict[str, Any]:
    with Celery("stock", broker=broker_url(server.url), set_as_current=False) as app:
        app.send_task(PREDICT, task_id=id, queue="penstock.wait", priority=6, ignore_result=True)
    message: dict[str, Any] = json.loads(ledger.client.rpop(list_key("wait")))
    return message


def test_it_says_what_celery_says(ledger: Ledger, server: RedisServer) -> None:
    id, ours = sent_by_us(ledger)
    theirs = sent_by_celery(ledger, server, id)

    # These name the sending process or the single push; any text will do.
    for differs in ("reply_to", "delivery_tag"):
        assert isinstance(ours["properties"].pop(differs), str)
        assert isinstance(theirs["properties"].pop(differs), str)
    assert ours["headers"].pop("origin") == "penstock"
    theirs["headers"].pop("origin")
    assert ours == theirs


def test_a_submit_and_a_resend_push_the_same_message_under_another_tag(ledger: Ledger) -> None:
    id, first = sent_by_us(ledger)
    claim(ledger, id, nonce="n")
    release(ledger, "n")

    again = json.loads(ledger.client.rpop(list_key("wait")))

    assert first["properties"].pop("delivery_tag") != again["properties"].pop("delivery_tag")
    assert first == again


def test_the_message_is_the_reviewed_one() -> None:
    """A change here is a change on the wire: old workers and new API processes run side by side during an upgrade."""
    template = json.loads(message_template().replace(LEVEL, "6"))
    template["body"] = json.loads(base64.b64decode(template["body"]))

    assert template == json.loads(GOLDEN.read_text())
    assert [message_template().count(stand_in) for stand_in in (ID, QUEUE, TAG, LEVEL)] == [3, 1, 1, 1]


def test_a_stock_celery_worker_receives_it(ledger: Ledger, server: RedisServer, tmp_path: Path) -> None:
    (tmp_path / "stock.py").write_text(
        "from celery import Celery\n"
        f"app = Celery('stock', broker={broker_url(server.url)!r})\n"
        f"@app.task(name={PREDICT!r}, bind=True)\n"
        "def predict(task):\n"
        "    open('received', 'a').write(task.request.id)\n"
    )
    received = tmp_path / "received"
    received.touch()
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "stock", "worker", "-P", "solo", "-Q", queue_name("wait")],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    try:
        id = submit(ledger)

        eventually(lambda: id == received.read_text(), within=30)
    finally:
        worker.terminate()
        worker.wait(20)


@pytest.mark.parametrize(
    ("redis_url", "expected"),
    [
        ("redis://host:6379/2", "redis://host:6379/2"),
        ("redis://host/?db=2", "redis://host:6379/2"),
        ("rediss://user:secret@host/0", "rediss://user:secret@host:6379/0"),
        ("rediss://:p%2Fw@[::1]/1?ssl_ca_certs=/ca.pem", "rediss://:p%2Fw@[::1]:6379/1"),
        ("sentinel://u:p@one,two:1/mine?db=4", "sentinel://u:p@one:26379/4;sentinel://u:p@two:1/4"),
        ("unix:///run/penstock/valkey.sock", "redis+socket:///run/penstock/valkey.sock?virtual_host=0"),
        ("unix:///run/x.sock?db=3", "redis+socket:///run/x.sock?virtual_host=3"),
        ("unix://user:secret@/run/x.sock", "redis+socket://user:secret@/run/x.sock?virtual_host=0"),
    ],
)
def test_kombu_gets_its_own_url_for_the_same_server(redis_url: str, expected: str) -> None:
    assert broker_url(redis_url) == expected
