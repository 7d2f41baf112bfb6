"""A receiver of callbacks, on a socket of its own."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver(ThreadingHTTPServer):
    """Answers with the statuses that it is given, in order, then 200; keeps what it accepted."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0, statuses: tuple[int, ...] = ()) -> None:
        self.statuses = list(statuses)
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.accepted: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.times: list[float] = []
        self.peers: list[int] = []  # the ports that it was called from
        self.hold = threading.Event()
        self.hold.set()
        super().__init__(("127.0.0.1", port), Handler)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.host}/hook?secret=of-the-url"

    def close(self) -> None:
        """End it. Whoever calls now is refused."""
        self.hold.set()
        self.shutdown()
        self.server_close()
        self.thread.join()


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.times.append(time.time())
        self.server.peers.append(self.client_address[1])
        self.server.paths.append(self.path)
        self.server.seen.append((headers, body))
        self.server.hold.wait(30)
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 200:
            self.server.accepted.append(headers)
        self.send_response(status)
        if status == 307:
            self.send_header("Location", "http://127.0.0.1:1/inside")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass
