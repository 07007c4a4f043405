"""One request and its answer, within a time. The timeouts of httpx hold for each read: a server that sends a byte now
and then, or one ``102 Processing`` after another, would be listened to for ever."""

import contextlib
import socket
import threading
import time
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from redrive.http_receipts import receipt_of_answer, receipt_of_head
from redrive.processes.handlers import NotSent

if TYPE_CHECKING:
    import httpx

GRACE_S = 0.1  # the client's own timeouts, which tell more, come first
_OPENED = ("connect_tcp.complete", "connect_unix_socket.complete", "start_tls.complete")
_SENDS = ("send_request_headers.started", "send_request_body.started")


class OutOfTime(Exception):
    """No answer came in time. *nothing_sent*: it is certain that nothing was sent, and that nothing will be."""

    def __init__(self, *, nothing_sent: bool) -> None:
        super().__init__("out of time")
        self.nothing_sent = nothing_sent


class _TooLate(Exception):
    """Raised within the client, before it sends what nobody waits for any more."""


class Exchange:
    """One request, sent by *client* in a thread of its own, so that nothing a server does can hold up who waits.

    At *end*, of the monotonic clock, its socket is shut down, and the thread ends. A connection that the host's client
    had open before is not known here, and one of HTTP/2 is shared: there the thread ends when the client does.
    """

    def __init__(self, client: "httpx.Client", request: "httpx.Request", end: float) -> None:
        self._client, self._request, self._end = client, request, end
        self._lock, self._done = threading.Lock(), threading.Event()
        self._traced = self._sent = self._cut = False
        self._stream: Any = None
        self._answer: httpx.Response | None = None
        self._receipt: dict[str, Any] | None = None
        self._error: BaseException | None = None
        request.extensions["trace"] = self._trace

    def receipt(self) -> dict[str, Any]:
        """What came back, whatever its status. Raises OutOfTime, NotSent, and what the client raises."""
        thread = threading.Thread(target=copy_context().run, args=(self._exchange,), name="redrive-http", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise NotSent(f"no thread to send it: {error}") from error
        try:
            self._done.wait(max(self._end + GRACE_S - time.monotonic(), 0))
        finally:
            nothing_sent = self._cut_off()  # also when the wait is interrupted
        if self._answer is not None and not self._done.wait(GRACE_S):
            return receipt_of_head(self._answer)
        if self._receipt is not None:
            return self._receipt
        if not self._done.is_set() or isinstance(self._error, _TooLate):
            raise OutOfTime(nothing_sent=nothing_sent)
        assert self._error is not None
        raise self._error

    def _exchange(self) -> None:
        try:
            self._answer = self._client.send(self._request, stream=True, auth=None, follow_redirects=False)
            try:
                self._receipt = receipt_of_answer(self._answer, self._end)
            finally:
                self._answer.close()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._error = error
        finally:
            self._done.set()

    def _cut_off(self) -> bool:
        """End what is not done; whether nothing was sent, and nothing will be."""
        with self._lock:
            if self._done.is_set():
                return False
            self._cut = True
            if self._answer is not None and self._answer.http_version != "HTTP/2":
                self._stream = self._answer.extensions.get("network_stream", self._stream)
            _shut_down(self._stream)
            return self._traced and not self._sent

    def _trace(self, name: str, info: dict[str, Any]) -> None:
        """What httpcore tells while it sends."""
        with self._lock:
            self._traced = True
            if name.endswith(_OPENED):
                self._stream = info["return_value"]
            elif name.startswith("http2."):
                self._stream = None
            if name.endswith(_SENDS):
                if self._cut:
                    raise _TooLate
                self._sent = True
            elif self._cut:
                _shut_down(self._stream)


def _shut_down(stream: Any) -> None:
    """End every read and write of a connection, whichever thread waits for it."""
    found = None if stream is None else stream.get_extra_info("socket")
    if isinstance(found, socket.socket):
        with contextlib.suppress(OSError):
            socket.socket.shutdown(found, socket.SHUT_RDWR)  # of TLS too: below it, for its own method is not safe here
