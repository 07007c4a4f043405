"""The sealer: a thread that seals every second, every 256 events, and when it ends."""

import threading
from collections.abc import Callable, Sequence

from redrive.domain.errors import EngineClosed, RedriveError
from redrive.domain.event import Recorded
from redrive.evidence.sealing import Sealing
from redrive.projections.logs import log

INTERVAL_S = 1.0
EVENTS = 256


class Sealer:
    """Seals in the background. What goes wrong is logged, and tried again; commands never notice."""

    def __init__(self, sealing: Sealing, subscribe: Callable[[Callable[[Sequence[Recorded]], None]], object]) -> None:
        self._sealing, self._subscribe = sealing, subscribe
        self._wake, self._stop = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._armed = False
        self._new = 0
        self._told = ""

    def arm(self) -> None:
        """Begin with the first event that this process commits: who only reads seals nothing."""
        with self._lock:
            if not self._armed:
                self._armed = True
                self._subscribe(self._committed)

    def begin(self) -> None:
        """Begin now, also with what other processes left unsealed."""
        self.arm()
        self._start()

    def close(self) -> None:
        """Seal what there is, and end."""
        self._stop.set()
        self._wake.set()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
            self._attempt()

    def _committed(self, events: Sequence[Recorded]) -> None:
        self._new += len(events)
        if self._thread is None:
            self._start()
        if self._new >= EVENTS:
            self._wake.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="redrive-sealer", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(INTERVAL_S)
            if self._stop.is_set():
                return
            self._wake.clear()
            self._new = 0
            self._attempt()

    def _attempt(self) -> None:
        """Seal; say what went wrong, once for as long as it lasts."""
        try:
            self._sealing.seal()
            self._told = ""
        except EngineClosed:
            self._stop.set()
        except RedriveError as error:
            if self._told != str(error):
                self._told = str(error)
                log.error("seal.failed", code=error.code, error=str(error))
        except Exception as error:  # noqa: BLE001 - evidence must not stop work; verify says that it is stale
            if self._told != repr(error):
                self._told = repr(error)
                log.exception("seal.failed")
