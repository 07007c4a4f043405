"""Wake-ups between processes: who commits rings, who waits for work hears it, and nobody relies on it.

A ring is a notification of its own after the commit, and not part of it: the server lets those that notify commit only
one after the other. Rings that follow each other closely are one. What is missed, the next look at the agenda finds.
"""

import atexit
import os
import threading
from collections.abc import Callable
from typing import Any

import psycopg

from redrive.ledger.database import Connection
from redrive.projections.logs import log

DEBOUNCE_S = 0.05
LISTEN_S = 1.0


class Outage:
    """Trouble that may last: told when it begins, as *begun*, and when it is over."""

    def __init__(self, begun: str, over: str) -> None:
        self._begun, self._over, self._lasts = begun, over, False

    def goes_on(self, error: Exception) -> None:
        """It was met, perhaps again."""
        if not self._lasts:
            self._lasts = True
            log.warning(self._begun, error=str(error))

    def ends(self) -> None:
        """All is well."""
        if self._lasts:
            self._lasts = False
            log.info(self._over)


class Bell:
    """One process at one log. *ring_on* gives a connection to ring with, *connected* a new one to listen with."""

    def __init__(
        self, channel: str, ring_on: Callable[[], Connection], connected: Callable[[], "psycopg.Connection[Any]"]
    ) -> None:
        self._channel, self._ring_on, self._connected = channel, ring_on, connected
        self._name = os.urandom(8).hex()
        self._lock = threading.Lock()
        self._wanted, self._due = False, threading.Event()
        self._closed = threading.Event()
        self._ringing: threading.Thread | None = None
        self._listening: threading.Thread | None = None
        self._silent, self._deaf = Outage("bell.silent", "bell.rings"), Outage("bell.deaf", "bell.hears")

    def ring(self) -> None:
        """Something was committed. Who committed does not wait for the ring: a thread has the rope."""
        self._wanted = True
        self._due.set()
        if self._ringing is None and not self._closed.is_set():
            with self._lock:
                if self._ringing is None:
                    self._ringing = threading.Thread(target=self._ring_when_due, name="redrive-ringing", daemon=True)
                    self._ringing.start()
                    atexit.register(self._stop_ringing)

    def _ring_when_due(self) -> None:
        while self._due.wait():
            self._due.clear()
            wanted, self._wanted = self._wanted, False
            if wanted:
                self._ring()
            if self._closed.is_set():
                return
            self._closed.wait(DEBOUNCE_S)

    def _ring(self) -> None:
        try:
            self._ring_on().execute("SELECT pg_notify(?, ?)", (self._channel, self._name))
        except Exception as error:  # noqa: BLE001 - best effort: the commit is durable, and whoever waits looks again
            if not self._closed.is_set():
                self._silent.goes_on(error)
        else:
            self._silent.ends()

    def _stop_ringing(self) -> None:
        """What is wanted is rung; then the thread ends, before the interpreter does, too: one that speaks with a server
        meanwhile could bring it down."""
        self._closed.set()
        self._due.set()
        _end(self._ringing)

    def listen(self, heard: Callable[[], None]) -> None:
        """Call *heard* in a thread whenever another process rang; once more does nothing."""
        with self._lock:
            if self._listening is None:
                self._listening = threading.Thread(target=self._listen, args=(heard,), name="redrive-bell", daemon=True)
                self._listening.start()

    @property
    def is_closed(self) -> bool:
        """Whether it is being closed, or was."""
        return self._closed.is_set()

    def close(self) -> None:
        """Ring what was not rung yet, and listen no longer."""
        self._stop_ringing()
        atexit.unregister(self._stop_ringing)
        with self._lock:
            listening = self._listening
        _end(listening)

    def _listen(self, heard: Callable[[], None]) -> None:
        while not self._closed.is_set():
            try:
                self._listen_on(heard)
            except Exception as error:  # noqa: BLE001 - the server is away, or who was woken found it away
                if not self._closed.is_set():
                    self._deaf.goes_on(error)
                self._closed.wait(LISTEN_S)

    def _listen_on(self, heard: Callable[[], None]) -> None:
        with self._connected() as connection:
            connection.execute(f'LISTEN "{self._channel}"'.encode())
            heard()  # what was rung before
            while not self._closed.is_set():
                rung = list(connection.notifies(timeout=LISTEN_S, stop_after=1))
                self._deaf.ends()
                if any(one.payload != self._name for one in rung):
                    heard()


def _end(thread: threading.Thread | None) -> None:
    """Wait for the end of a thread that was told to end, but not for long: its server may be silent."""
    if thread is not None and thread is not threading.current_thread():
        thread.join(2 * LISTEN_S)
