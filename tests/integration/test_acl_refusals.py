"""The users of deploy/redis/users.acl may do what their scripts do, and nothing more."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from redis.exceptions import AuthenticationError, ResponseError

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.start import require_usable
from tests.contract.steps import KEPT_MS, LEASE_MS, submit
from tests.integration.guarded import FOLDER, USERS, GuardedServer, commands_of, filled_in, granted
from tests.integration.nodes import ROOT
from tests.integration.test_doctor import doctor
from tests.redis_server import KINDS

REFUSED = "(?i)no permissions|the user executing the script can.t"
SCRIPTS = {
    "penstock-api": "submit read read_each list cancel retry forget admit collect settle census count",
    "penstock-worker": "claim proceed finish decline renew announce progress release abandon reap purge loaded",
    "penstock-doctor": "checkup",
}
BESIDE = {  # what is asked for outside of scripts
    "penstock-api": {"info", "evalsha", "eval", "hget", "psubscribe"},
    "penstock-worker": {"info", "evalsha", "eval", "subscribe", "brpop", "llen", "multi", "exec"},
    "penstock-doctor": {"info", "evalsha", "eval", "config|get"},
}


@pytest.fixture(params=KINDS)
def broker_server(request: pytest.FixtureRequest) -> Iterator[GuardedServer]:
    server = GuardedServer(request.param)
    yield server
    server.close()


@pytest.mark.parametrize("user", USERS)
def test_a_user_has_the_commands_of_its_scripts_and_those_beside_them_alone(user: str) -> None:
    needed = BESIDE[user].union(*(commands_of(name) for name in SCRIPTS[user].split()))

    assert granted(user) == needed


def test_every_script_is_somebodys() -> None:
    there = {path.stem for path in (ROOT / "shared/ledger/lua").glob("*.lua")}

    assert sorted(" ".join(SCRIPTS.values()).split()) == sorted(there)


@pytest.mark.parametrize("user", USERS)
def test_what_nobody_of_penstock_needs_is_refused(broker_server: GuardedServer, user: str) -> None:
    broker_server.client.set("other:key", "1")
    refused = [
        ("FLUSHALL",),
        ("FLUSHDB",),
        ("KEYS", "*"),
        ("SCAN", "0"),
        ("CONFIG", "SET", "maxmemory", "1"),
        ("SHUTDOWN",),
        ("MONITOR",),
        ("ACL", "LIST"),
        ("CLIENT", "LIST"),
        ("CLIENT", "KILL", "ID", "1"),
        ("SCRIPT", "FLUSH"),
        ("REPLICAOF", "NO", "ONE"),
        ("GET", "other:key"),
        ("HGET", "other:key", "field"),
        ("SET", "other:key", "2"),
        ("EVAL", "return redis.call('GET', 'other:key')", "0"),
        ("EVAL", "return redis.call('DEL', 'other:key')", "0"),
        ("EVAL", "return redis.call('KEYS', '*')", "0"),
        ("PUBLISH", "other:channel", "x"),
        ("SUBSCRIBE", "other:channel"),
        ("PSUBSCRIBE", "*"),
    ]
    ledger = broker_server.ledger_of(user)
    for command in refused:
        with pytest.raises(ResponseError, match=REFUSED):
            ledger.client.execute_command(*command)
    ledger.close()
    assert broker_server.client.get("other:key") == b"1"


def test_the_doctor_changes_nothing(broker_server: GuardedServer) -> None:
    ledger = broker_server.ledger_of("penstock-doctor")
    for text in (
        "return redis.call('HSET', 'penstock:task:x', 'a', 'b')",
        "return redis.call('DEL', 'penstock:task:x')",
    ):
        with pytest.raises(ResponseError, match=REFUSED):
            ledger.client.execute_command("EVAL", text, "0")
    with pytest.raises(ResponseError, match=REFUSED):
        submit(ledger)
    ledger.close()


def test_nobody_comes_in_without_a_name(broker_server: GuardedServer) -> None:
    with (
        redis.Redis(unix_socket_path=str(broker_server.socket)) as anyone,
        pytest.raises(AuthenticationError),
    ):
        anyone.ping()


def cancel(ledger: Ledger) -> None:
    ledger.run(calls.cancel(submit(ledger), "", KEPT_MS))


def large_result(ledger: Ledger) -> None:
    ledger.run(calls.Call("HGET", (f"{calls.TASK}{uuid4()}", "result"), lambda reply: reply, is_command=True))


@pytest.mark.parametrize(
    ("user", "without", "step"),
    [
        ("penstock-api", "-evalsha", submit),
        ("penstock-api", "-eval", submit),  # the first to send a script
        ("penstock-api", "-zadd", submit),
        ("penstock-api", "-lpush", submit),
        ("penstock-api", "-hget", large_result),
        ("penstock-api", "resetchannels", cancel),
        ("penstock-api", "resetkeys", submit),
        ("penstock-worker", "-brpop", lambda ledger: ledger.pop(["penstock.wait"], 0.1)),
        ("penstock-worker", "-smembers", lambda ledger: ledger.run(calls.reap(3, KEPT_MS, 0, 0))),
        ("penstock-worker", "-sadd", lambda ledger: ledger.run(calls.announce("w", {"wait": 1}, LEASE_MS))),
        ("penstock-doctor", "-smembers", lambda ledger: ledger.run(calls.checkup())),
        ("penstock-doctor", "resetkeys", lambda ledger: ledger.run(calls.checkup())),
    ],
)
def test_each_of_these_is_needed(
    broker_server: GuardedServer, user: str, without: str, step: Callable[[Ledger], object]
) -> None:
    with_it = broker_server.ledger_of(user)
    step(with_it)
    with_it.close()
    broker_server.client.script_flush()  # so that EVAL is needed again too

    broker_server.client.execute_command("ACL", "SETUSER", user, without)

    without_it = broker_server.ledger_of(user)
    with pytest.raises(ResponseError, match=REFUSED):
        step(without_it)
    without_it.close()


@pytest.mark.parametrize("user", ["penstock-api", "penstock-worker"])
def test_a_process_starts_without_info_too(broker_server: GuardedServer, user: str) -> None:
    """It warns then: what it would refuse (a server that may evict, one that is too old) it cannot see."""
    broker_server.client.execute_command("ACL", "SETUSER", user, "-info")

    require_usable(broker_server.url_of(user), within=0)


def test_the_doctor_as_the_api_says_what_it_cannot_see(broker_server: GuardedServer) -> None:
    done = doctor(PENSTOCK_REDIS_URL=broker_server.url_of("penstock-api"))

    assert done.returncode == 0
    assert "CONFIG is forbidden to this user" in done.stdout
    assert "Valkey" in done.stdout or "Redis" in done.stdout


def test_a_user_without_a_password_is_not_made(tmp_path: Path) -> None:
    filled_in(tmp_path / "passwords")
    (tmp_path / "passwords" / "penstock-worker").unlink()

    done = subprocess.run(
        [FOLDER / "users.sh", tmp_path / "passwords"], capture_output=True, text=True, check=False, timeout=20
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert "penstock-worker has no password" in done.stderr
