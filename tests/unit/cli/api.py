"""A small real HTTP server in place of the API: it answers as it is told, and keeps what it was asked."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

TASK = "0b0b6a1e-0000-4000-8000-000000000001"


def document(status: str, **more: Any) -> dict[str, Any]:
    return {"task_id": TASK, "model": "wait", "status": status, "queue": None, "progress": None, **more}


class Api(ThreadingHTTPServer):
    """Answers with what it was given, in order, the last one again and again."""

    daemon_threads = True
    block_on_close = True

    def __init__(self, port: int = 0) -> None:
        self.answers: list[tuple[int, Any, dict[str, str]]] = []
        self.requests: list[tuple[str, str, bytes]] = []
        self.headers: list[dict[str, str]] = []
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def will(self, status: int, body: Any, **headers: str) -> None:
        self.answers.append((status, body, headers))


class Handler(BaseHTTPRequestHandler):
    server: Api
    log_requests: ClassVar[bool] = False

    def do_GET(self) -> None:
        self.server.requests.append((self.command, self.path, self._body()))
        self.server.headers.append(dict(self.headers))
        answers = self.server.answers
        status, body, headers = answers.pop(0) if len(answers) > 1 else answers[0]
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_DELETE = do_GET  # noqa: N815

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def log_message(self, format: str, *args: Any) -> None:
        pass
