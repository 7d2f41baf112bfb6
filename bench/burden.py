"""Large requests going on while something else is measured: a process of its own, a thread for each connection."""

import base64
import multiprocessing
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from bench.line import Line, LineError
from bench.wire import Answer, delete, get, post

MODEL = "large"
SEED = 7
START_SECONDS = 30.0
WARM_UP_SECONDS = 0.5
spawned = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Burden:
    """So many connections, each with one large request after the other."""

    connections: int = 0
    kind: str = ""  # submit, or download
    size: int = 0
    task: str = ""  # whose result is downloaded

    def __str__(self) -> str:
        """Name it in a table."""
        return f"{self.connections} large {self.kind}{'s' * (self.connections > 1)}" if self.connections else "nothing"


@dataclass(slots=True)
class Found:
    """What came of the large requests."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


@contextmanager
def burdened(port: int, burden: Burden) -> Iterator[Found]:
    """Have the burden on meanwhile; what came of it is filled in at the end."""
    found = Found()
    ours, theirs = spawned.Pipe()
    process = spawned.Process(target=carry, args=(port, burden, theirs), daemon=True)
    process.start()
    try:
        assert ours.poll(START_SECONDS), "the large requests do not begin"
        ours.recv()
        yield found
        ours.send("enough")
        assert ours.poll(START_SECONDS), "the large requests do not end"
        found.seconds, found.statuses = ours.recv()
    finally:
        process.kill()
        process.join()


def carry(port: int, burden: Burden, other: Connection) -> None:
    """Send large requests on every connection until told that it is enough."""
    found, over = Found(), threading.Event()
    threads = [threading.Thread(target=repeat, args=(port, burden, found, over)) for _ in range(burden.connections)]
    for each in threads:
        each.start()
    time.sleep(WARM_UP_SECONDS)  # what is measured beside them shall not see their first requests alone
    other.send("begun")
    other.recv()
    over.set()
    for each in threads:
        each.join()
    other.send((found.seconds, found.statuses))


def repeat(port: int, burden: Burden, found: Found, over: threading.Event) -> None:
    """Send one after the other; what was submitted is deleted, or it would fill the server."""
    request = get(f"/task/{burden.task}") if burden.kind == "download" else large_submit(burden.size)
    while not over.is_set():
        with suppress(LineError), closing(Line(port)) as line:  # a server may hang up on who is refused
            while not over.is_set():
                began = time.perf_counter()
                answer = line.ask(request)
                found.seconds.append(time.perf_counter() - began)
                found.statuses[answer.status] += 1
                if answer.status == 202:
                    line.ask(delete(f"/task/{id_in(answer)}"))


def large_submit(size: int) -> bytes:
    """Return a submit whose text has so many characters."""
    return post(f"/task/{MODEL}", b'{"text":"' + text(size) + b'"}')


def text(size: int) -> bytes:
    """Return a text as an image is one, in base64: by chance every word of three letters is in it, NaN as well."""
    return base64.b64encode(random.Random(SEED).randbytes(size * 3 // 4 + 3))[:size]


def id_in(answer: Answer) -> str:
    """Return the id of the task that was accepted."""
    return answer.body.partition(b'"task_id":"')[2].partition(b'"')[0].decode()
