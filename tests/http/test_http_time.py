"""One request takes its time at most, whatever the server does."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import httpx
import pytest

from redrive.http_effects import Http, NoAnswer
from redrive.processes.handlers import NotSent
from redrive.processes.outbox import StillUnknown
from tests.http.shop import call

TIMES_MS = (300, 3_000, 30_000)
ENOUGH_S = 60.0
STALLS = {
    "informs": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "drips a header": (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
    "drips the status": (b"HTTP/1.1 200 ", b"O"),
}
BODIES = {
    "drips": (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"a"),
    "drips the size of a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
}


T = TypeVar("T")


def in_time(exchange: Callable[[int], T], *too_slow: type[Exception]) -> T:
    """What comes of it in a short time; in a longer one where this machine needs it to begin."""
    *short, long = TIMES_MS
    for timeout_ms in short:
        with contextlib.suppress(*too_slow):
            return exchange(timeout_ms)
    return exchange(long)


@contextlib.contextmanager
def dripping(first: bytes, then: bytes) -> Iterator[tuple[str, threading.Event]]:
    """A server that sends *first*, and *then* again and again; and whether its client has hung up."""
    hung_up = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            connection.sendall(first)
            while True:
                connection.sendall(then)
                time.sleep(0.05)
        hung_up.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", hung_up


@pytest.mark.parametrize("own_client", [False, True])
@pytest.mark.parametrize("stall", STALLS)
def test_an_answer_that_never_ends_is_no_answer(stall: str, own_client: bool) -> None:
    """It is unknown what the server did; its connection is closed. So it is with the client of a host."""

    def exchange(timeout_ms: int) -> None:
        with dripping(*STALLS[stall]) as (url, hung_up), httpx.Client() as client:
            with pytest.raises(NoAnswer) as caught:
                Http(client if own_client else None, timeout_ms=timeout_ms).send(call(url))
            assert caught.value.failure.kind == "timeout"
            assert hung_up.wait(ENOUGH_S)

    in_time(exchange, NotSent)


@pytest.mark.parametrize("stall", BODIES)
def test_a_body_that_never_ends_is_cut(stall: str) -> None:
    """The status line says that it succeeded."""

    def exchange(timeout_ms: int) -> None:
        with dripping(*BODIES[stall]) as (url, hung_up):
            receipt = Http(timeout_ms=timeout_ms).send(call(url))
            assert (receipt["status"], receipt["truncated"]) == (200, True)
            assert hung_up.wait(ENOUGH_S)

    in_time(exchange, NotSent, NoAnswer)


def test_asking_what_became_of_it_takes_its_time_at_most() -> None:
    """A service that never says it leaves it unknown."""
    with dripping(*STALLS["informs"]) as (url, _hung_up):
        found = Http(timeout_ms=TIMES_MS[0]).reconcile(call(url, {"reconcile": {"get": url}}))
        assert isinstance(found, StillUnknown)


def test_a_name_that_is_not_found_in_time_sends_nothing_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt may be made again, so the first must never be sent."""
    found, given_up = socket.getaddrinfo, threading.Event()

    def slow(*names: object, **more: object) -> object:
        given_up.wait(ENOUGH_S)
        return found(*names, **more)  # type: ignore[arg-type]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        with pytest.raises(NotSent, match="no connection within 300 ms"):
            Http(timeout_ms=TIMES_MS[0]).send(call(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        given_up.set()
        listener.settimeout(ENOUGH_S)
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1) == b""


def test_a_transport_that_tells_nothing_is_left_behind() -> None:
    """What it did is unknown."""
    held = threading.Event()

    def hold(_request: httpx.Request) -> httpx.Response:
        held.wait(ENOUGH_S)
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(hold)) as client, pytest.raises(NoAnswer):
        Http(client, timeout_ms=TIMES_MS[0]).send(call("http://shop.example"))
    held.set()
