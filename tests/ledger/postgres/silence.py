"""A way to the server on which it can fall silent: bytes are accepted, and not passed on until it speaks again."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from redrive.ledger.seams import patience_s

SHORT_S = 0.3


class Way:
    """Listens at *port* and passes on what comes, in both directions."""

    def __init__(self, server: str) -> None:
        self._given: dict[str, Any] = conninfo_to_dict(server)
        self.requests, self.answers = threading.Event(), threading.Event()
        self.speak()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._ends: list[socket.socket] = []
        self.listen()

    @property
    def url(self) -> str:
        """The server's URL, by this way."""
        user, database = self._given.get("user", "postgres"), self._given["dbname"]
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def listen(self) -> None:
        """Let those who come pass, in a thread."""
        threading.Thread(target=self._listen, daemon=True).start()

    def speak(self) -> None:
        """Pass on what was held back, and what comes."""
        self.requests.set()
        self.answers.set()

    def close(self) -> None:
        """Nobody comes by any more."""
        for end in (self._listening, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.speak()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = self._connected()
                self._ends += (client, server)
                for pair in ((client, server, self.requests), (server, client, self.answers)):
                    threading.Thread(target=_pass_on, args=pair, daemon=True).start()

    def _connected(self) -> socket.socket:
        host, port = str(self._given.get("host", "localhost")), int(self._given.get("port", 5432))
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server


def _pass_on(source: socket.socket, sink: socket.socket, may_pass: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            may_pass.wait()
            sink.sendall(data)
        may_pass.wait()
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def impatient(*, at_once: bool = True) -> Iterator[None]:
    """A server that is silent is given up soon: at once, or from when it falls silent (a slow one is not silent)."""
    token = patience_s.set(SHORT_S if at_once else patience_s.get())
    try:
        yield
    finally:
        patience_s.reset(token)
