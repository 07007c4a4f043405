"""A small HTTP service on loopback, which does things once for each Idempotency-Key, and misbehaves as it is told.

POST and PUT do something; GET of the same path and a key (``/charges/KEY``) tells whether it was done.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. *nth* counts the requests of this method with this key, from 1."""

    method: str
    path: str
    key: str
    nth: int
    body: Any


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the service does with a request: whether it acts, and how it answers. *silent_s*: it answers nothing for so
    long, and then closes; *lost*: it closes at once; *slow_s*: it answers only then."""

    acts: bool = True
    status: int = 201
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    slow_s: float = 0.0
    silent_s: float = 0.0
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A line of the service's own journal. *status* is None when it did not answer."""

    method: str
    path: str
    key: str
    acted: bool
    status: int | None
    at_s: float


Script = Callable[[Request], Behaviour]


class Service:
    """The service, on a free port of 127.0.0.1; ``with Service(script) as service`` starts and stops it."""

    def __init__(self, script: Script, *, port: int = 0) -> None:
        self.script = script
        self.journal: list[Call] = []
        self.done: dict[str, dict[str, Any]] = {}
        self.most_at_a_time = 0
        self._at_a_time = 0
        self._asked: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.service = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="service", daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def calls(self, key: str | None = None, *, method: str = "POST", path: str | None = None) -> list[Call]:
        """The calls of a *method*, with one key, to one path, or all."""
        with self._lock:
            kept = [call for call in self.journal if call.method == method]
        return [call for call in kept if key in (None, call.key) and path in (None, call.path)]

    def acts(self, key: str) -> int:
        """How often it did something under *key*."""
        return sum(call.acted for call in self.calls(key))

    def answer(self, method: str, path: str, key: str, body: Any) -> tuple[int | None, Mapping[str, str], Any]:
        """Do what the script says: status, headers and body of the answer; no status, no answer."""
        with self._lock:
            nth = self._asked[method, key] = self._asked.get((method, key), 0) + 1
            self._at_a_time += 1
            self.most_at_a_time = max(self.most_at_a_time, self._at_a_time)
        try:
            return self._behave(Request(method, path, key, nth, body))
        finally:
            with self._lock:
                self._at_a_time -= 1

    def _behave(self, request: Request) -> tuple[int | None, Mapping[str, str], Any]:
        if request.method == "GET":
            return self._tell(request)
        behaviour = self.script(request)
        self._closing.wait(behaviour.slow_s)
        answers = not (behaviour.lost or behaviour.silent_s)
        with self._lock:
            before = self.done.get(request.key)
            acted = behaviour.acts and before is None
            if acted:
                number = len(self.done) + 1
                self.done[request.key] = {"id": f"{request.path.strip('/')}-{number}", "for": request.body}
            status = behaviour.status if answers else None
            self.journal.append(Call(request.method, request.path, request.key, acted, status, time.monotonic()))
        self._closing.wait(behaviour.silent_s)
        told = self.done.get(request.key) if behaviour.acts else {"error": f"{behaviour.status}"}
        return status, behaviour.headers, told

    def _tell(self, request: Request) -> tuple[int | None, Mapping[str, str], Any]:
        with self._lock:
            known = self.done.get(request.path.rpartition("/")[2])
            status = 404 if known is None else 200
            self.journal.append(Call("GET", request.path, request.key, False, status, time.monotonic()))
        return status, {}, known


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    service: Service

    def handle_error(self, *_args: object) -> None:
        """A client that was killed is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._do()

    def do_POST(self) -> None:
        self._do()

    def do_PUT(self) -> None:
        self._do()

    def log_message(self, *_args: object) -> None:
        """The journal is what it logs."""

    def _do(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key = self.headers.get("Idempotency-Key") or ""
        status, headers, body = self.server.service.answer(self.command, self.path, key, json.loads(raw or b"null"))
        self.close_connection = True
        if status is None:
            return
        written = json.dumps(body).encode()
        self.send_response(status)
        for name, text in {**headers, "Content-Type": "application/json", "Connection": "close"}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)
