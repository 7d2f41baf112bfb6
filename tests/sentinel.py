"""A primary, its replicas, and sentinels that watch them: real Redis processes on loopback."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.redis_server import RedisServer, binary
from tests.waiting import eventually

NAME = "tasks"
SENTINELS = 3
# Sentinels ask once a second. With less than that they take a primary that they have just learned of for down, and one
# failover follows the other.
DOWN_AFTER_MS = 2000
FAILOVER_MS = 3000  # within which a failover must succeed, or another sentinel tries
SETTLE_SECONDS = 40.0  # sentinels hear of each other every 2 s, and ask replicas every 10 s


class Sentinel:
    """One sentinel."""

    def __init__(self, primary_port: int, quorum: int, *settings: str) -> None:
        self.port = free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="penstock-sentinel-"))
        file = self._directory / "sentinel.conf"
        file.write_text(
            f"port {self.port}\n"
            f"dir {self._directory}\n"
            f"sentinel monitor {NAME} 127.0.0.1 {primary_port} {quorum}\n"
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {NAME} {FAILOVER_MS}\n" + "".join(f"{line}\n" for line in settings)
        )
        self._process = subprocess.Popen(
            [binary("redis"), str(file), "--sentinel"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.client = redis.Redis(port=self.port, socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def state(self) -> dict[str, Any]:
        """What it knows of the primary; empty while it does not answer."""
        with suppress(redis.RedisError):
            return dict(self.client.execute_command("SENTINEL MASTER", NAME))
        return {}

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def close(self) -> None:
        self.client.close()
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)


class Replicated:
    """The whole group. The first server begins as the primary, and comes back as one if it is started again."""

    def __init__(self, *options: str, replicas: int = 2, of_sentinels: Sequence[str] = ()) -> None:
        self.servers: list[RedisServer] = []
        self.sentinels: list[Sentinel] = []
        self._ports: list[int] = []
        try:
            for _ in range(1 + replicas):
                self._add_server(*options)
            self.sentinels = [Sentinel(self._ports[0], SENTINELS // 2 + 1, *of_sentinels) for _ in range(SENTINELS)]
            self.settle()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """What PENSTOCK_REDIS_URL is to be."""
        return f"sentinel://{','.join(f'127.0.0.1:{each.port}' for each in self.sentinels)}/{NAME}"

    @property
    def primary(self) -> RedisServer:
        """The server that the first sentinel names."""
        return self.servers[self._ports.index(int(self.sentinels[0].state()["port"]))]

    def settle(self) -> RedisServer:
        """Return the primary once everyone agrees on it, and every other server follows it."""
        return eventually(self._settled, within=SETTLE_SECONDS, every=0.1)

    def fail_over(self) -> RedisServer:
        """Have the sentinels make another server the primary though it is well; return that one when they name it."""
        before = self.primary
        self.sentinels[0].client.execute_command("SENTINEL FAILOVER", NAME)
        return self.succeeded(before)

    def succeeded(self, before: RedisServer) -> RedisServer:
        """Return the new primary once every sentinel names another than `before`."""
        eventually(lambda: self._named() not in ({self._port_of(before)}, set()) and len(self._named()) == 1, within=30)
        return self.primary

    def close(self) -> None:
        for each in (*self.sentinels, *self.servers):
            each.close()

    def _add_server(self, *options: str) -> None:
        port = free_port()
        follow = ["--replicaof", "127.0.0.1", str(self._ports[0])] if self._ports else []
        soon = ["--repl-diskless-sync-delay", "0"]
        self.servers.append(RedisServer("redis", "--port", str(port), *soon, *follow, *options))
        self._ports.append(port)

    def _port_of(self, server: RedisServer) -> int:
        return self._ports[self.servers.index(server)]

    def _named(self) -> set[int]:
        return {int(state["port"]) for each in self.sentinels if (state := each.state())}

    def _settled(self) -> RedisServer | None:
        states = [each.state() for each in self.sentinels]
        others = (len(self.servers) - 1, len(self.sentinels) - 1)
        if any((state.get("num-slaves"), state.get("num-other-sentinels")) != others for state in states):
            return None
        if len({state["port"] for state in states}) > 1 or any(state["flags"] != "master" for state in states):
            return None
        primary = self.primary
        return primary if all(follows(each, primary, self._port_of(primary)) for each in self.servers) else None


def follows(server: RedisServer, primary: RedisServer, port: int) -> bool:
    try:
        found = server.client.info("replication")
    except redis.RedisError:
        return False
    if server is primary:
        return bool(found["role"] == "master")
    return bool(found["role"] == "slave" and found["master_port"] == port and found["master_link_status"] == "up")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
