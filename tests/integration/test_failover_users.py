"""A failover with the users of docs/high_availability.md, for replicas and sentinels, and those of deploy/redis."""

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.client import Client
from tests.integration.guarded import PASSWORDS, filled_in
from tests.integration.nodes import ROOT, WorkerProcess
from tests.sentinel import NAME, Replicated
from tests.waiting import eventually

TEMPLATE = re.compile(r"^user (penstock-(?:replica|sentinel)) on #DIGEST (.+)$", re.MULTILINE)


def documented() -> Iterator[str]:
    """Yield the lines of the documentation, each with its user's name for a password."""
    for name, rights in TEMPLATE.findall((ROOT / "docs/high_availability.md").read_text()):
        yield f"user {name} on #{hashlib.sha256(name.encode()).hexdigest()} {rights}"


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Replicated]:
    ours = [line for line in filled_in(tmp_path / "passwords").splitlines() if not line.startswith("user default")]
    # `default` stays on, for this test to look at the servers: nobody else has leave to use it.
    file = tmp_path / "users.acl"
    file.write_text("\n".join([*ours, *documented(), "user default on nopass ~* &* +@all"]) + "\n")
    group = Replicated(
        *("--aclfile", str(file), "--masteruser", "penstock-replica", "--masterauth", "penstock-replica"),
        of_sentinels=(
            f"sentinel auth-user {NAME} penstock-sentinel",
            f"sentinel auth-pass {NAME} penstock-sentinel",
        ),
    )
    yield group
    group.close()


@pytest.fixture
def environment(group: Replicated, execution_log: Path) -> dict[str, str]:
    return {
        "PENSTOCK_REDIS_URL": url_of(group, "penstock-api"),
        "PENSTOCK_MODELS": str(ROOT / "tests/models/echo"),
        "PENSTOCK_CONCURRENCY": "1",
        "PENSTOCK_REPLICAS_ACK": "1",
        "EXECUTION_LOG": str(execution_log),
    }


def url_of(group: Replicated, user: str) -> str:
    return group.url.replace("://", f"://{user}:{PASSWORDS[user]}@")


def test_a_primary_is_killed_and_nobody_has_too_few_rights(
    group: Replicated, client: Client, add_worker: Callable[..., WorkerProcess]
) -> None:
    add_worker(PENSTOCK_REDIS_URL=url_of(group, "penstock-worker")).ready()
    assert client.finished(client.submit("echo", text="before")["task_id"])["status"] == "succeeded"
    killed = group.primary
    killed.kill()
    group.succeeded(killed)

    answer = eventually(lambda: accepted(client), within=20)
    assert client.finished(answer["task_id"])["status"] == "succeeded"
    killed.start()
    group.settle()

    assert [row for server in group.servers for row in server.client.acl_log()] == []
    assert users(group) >= {"penstock-replica", "penstock-sentinel", "penstock-api", "penstock-worker"}


def accepted(client: Client) -> dict[str, str] | None:
    answer = client.http.post("/task/echo", json={"text": "after"})
    return dict(answer.json()) if answer.is_success else None


def users(group: Replicated) -> set[str]:
    """Name the users of all connections to any server."""
    return {row["user"] for server in group.servers for row in server.client.client_list()}
