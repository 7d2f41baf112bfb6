"""A server that lets in the users of deploy/redis alone, made as an operator would make it."""

import re
import subprocess
from pathlib import Path

import redis

from shared.ledger.connect import connect
from shared.ledger.connection import Ledger
from shared.ledger.scripts import script
from tests.integration.conftest import free_port
from tests.integration.nodes import ROOT
from tests.redis_server import RedisServer

FOLDER = ROOT / "deploy" / "redis"
USERS = ("penstock-api", "penstock-worker", "penstock-doctor")
PASSWORDS = {name: f"password-of-{name}" for name in ("admin", *USERS)}


class GuardedServer(RedisServer):
    """Has the settings of deploy/redis/redis.conf, and asks everyone for a name and a password."""

    def __init__(self, kind: str) -> None:
        self.port = free_port()
        super().__init__(kind, "--port", str(self.port), "--bind", "127.0.0.1")

    def start(self, *options: str, wait: bool = True) -> None:
        users = self.directory / "users.acl"
        if not users.exists():
            users.write_text(filled_in(self.directory / "passwords"))
        self.client.close()
        self.client = redis.Redis(
            unix_socket_path=str(self.socket), username="admin", password=PASSWORDS["admin"], socket_timeout=5
        )
        settings = ("--include", str(FOLDER / "redis.conf"), "--aclfile", str(users))
        super().start(*settings, *options, wait=wait)

    def url_of(self, user: str) -> str:
        return f"redis://{user}:{PASSWORDS[user]}@127.0.0.1:{self.port}/0"

    def ledger_of(self, user: str) -> Ledger:
        return connect(self.url_of(user), name="test")

    def refused(self) -> list[tuple[str, str, str]]:
        """Who was refused what, and why."""
        return [(row["username"], row["object"], row["reason"]) for row in self.client.acl_log()]


def filled_in(passwords: Path) -> str:
    """Return the users as the script that comes with the template prints them; write the passwords for it first."""
    passwords.mkdir()
    for name, password in PASSWORDS.items():
        (passwords / name).write_text(f"{password}\n")
    done = subprocess.run([FOLDER / "users.sh", passwords], capture_output=True, text=True, check=True, timeout=20)
    return done.stdout


def granted(user: str) -> set[str]:
    """Return the commands that the template gives a user by name."""
    text = (FOLDER / "users.acl").read_text().replace("\\\n", " ")
    (line,) = (line for line in text.splitlines() if line.startswith(f"user {user} "))
    return set(re.findall(r" \+([a-z|]+)", line))


def commands_of(name: str) -> set[str]:
    """Return the commands that one of the ledger's scripts may run."""
    text = re.sub(r"--.*", "", script(name))
    return {word.lower() for word in re.findall(r"(?:redis\.call[(]|redis\.call, |push[(])'(\w+)'", text)}
