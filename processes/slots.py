"""Slots: where a worker's handlers run, in threads or on one event loop, and how one that hangs is given up."""

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Callable, Iterable, Mapping
from queue import SimpleQueue
from typing import Any

from redrive.domain.run.attempts import AttemptId
from redrive.processes.given import is_asynchronous
from redrive.processes.handlers import Handler
from redrive.processes.handout import Attempt
from redrive.processes.steps import awaited

Done = Callable[[Attempt, Any, BaseException | None], None]
Read = Callable[[Any, BaseException | None], tuple[Any, BaseException | None]]


class Slots:
    """Runs handlers, *most* at a time, the others in the order in which they came; *done* is called from their thread
    with the result or the error, as *read* there. Threads are reused. One whose attempt was given up is busy until its
    handler returns; meanwhile others take its place."""

    def __init__(self, name: str, handlers: Mapping[str, Handler], read: Read, done: Done, most: int) -> None:
        self._name, self._read = name, read
        self._handlers = handlers
        self._done = done
        self._most = most
        self._later: dict[AttemptId, Attempt] = {}
        self._begun: set[AttemptId] = set()
        self._idle = 0
        self._waiting: SimpleQueue[tuple[Handler, Attempt] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = threading.Event()
        self._tasks: dict[AttemptId, Any] = {}

    def run(self, attempt: Attempt) -> None:
        """Start the handler of *attempt*, now or when there is room; one that cannot be had (its import fails) ends
        the attempt."""
        with self._lock:
            self._later[attempt.id] = attempt
        self._go_on()

    def _go_on(self) -> None:
        while (attempt := self._next()) is not None:
            self._begin(attempt)

    def _next(self) -> Attempt | None:
        """The attempt whose turn it is, if there is room."""
        with self._lock:
            if not self._later or len(self._begun) >= self._most:
                return None
            id_ = next(iter(self._later))
            self._begun.add(id_)
            return self._later.pop(id_)

    def _end(self, attempt: Attempt, result: Any, error: BaseException | None) -> None:
        """Report, and let the next begin."""
        self._done(attempt, result, error)
        with self._lock:
            self._begun.discard(attempt.id)
        self._go_on()

    def _begin(self, attempt: Attempt) -> None:
        try:
            handler = self._handlers[attempt.handler]
            if is_asynchronous(handler):
                self._run_async(handler, attempt)
            else:
                self._run_in_thread(handler, attempt)
        except Exception as error:  # noqa: BLE001 - the host's mapping may raise anything; no thread may be left
            self._done(attempt, None, error)
            with self._lock:
                self._begun.discard(attempt.id)

    def _run_in_thread(self, handler: Handler, attempt: Attempt) -> None:
        """Hand it to an idle thread, or to a new one; where the system has none left, to the next that ends its work.
        Raises RuntimeError when there is none at all."""
        with self._lock:
            if self._idle <= 0:
                self._threads += 1
                try:
                    threading.Thread(target=self._serve, name=f"{self._name}-{self._threads}", daemon=True).start()
                except RuntimeError:
                    self._threads -= 1
                    if not self._threads:
                        raise
                    self._idle -= 1
            else:
                self._idle -= 1
        self._waiting.put((handler, attempt))

    def give_up(self, attempt: Attempt) -> None:
        """Tell a handler to stop: an async one is cancelled, one in a thread sees ``attempt.cancelled``. One that has
        not begun never does."""
        attempt.signals.cancel()
        with self._lock:
            self._later.pop(attempt.id, None)
            self._begun.discard(attempt.id)
        task = self._tasks.pop(attempt.id, None)
        if task is not None:
            task.cancel()
        self._go_on()

    def withdraw(self) -> list[Attempt]:
        """Take back what has not begun; it never will."""
        with self._lock:
            waiting = list(self._later.values())
            self._later.clear()
        return waiting

    def close(self) -> None:
        """Let idle threads end, and the loop."""
        with self._lock:
            for _ in range(self._threads):
                self._waiting.put(None)
        if self._loop is not None:
            self._closing.set()
            with contextlib.suppress(RuntimeError):  # a handler stopped it, and it is closed already
                self._loop.call_soon_threadsafe(self._loop.stop)

    def _serve(self) -> None:
        while (job := self._waiting.get()) is not None:
            handler, attempt = job
            result: Any = None
            error: BaseException | None = None
            try:
                result = handler(attempt)
                if inspect.isawaitable(result):  # a plain function may hand out a coroutine
                    result = asyncio.run(awaited(result))
            except BaseException as caught:  # noqa: BLE001 - whatever a handler raises is how its attempt ended
                error = caught
            said = self._read(result, error)
            with self._lock:
                self._idle += 1
            self._end(attempt, *said)

    def _run_async(self, handler: Handler, attempt: Attempt) -> None:
        loop = self._running_loop()
        task = asyncio.run_coroutine_threadsafe(_call(handler, attempt, self._read), loop)
        self._tasks[attempt.id] = task
        task.add_done_callback(lambda finished: self._finished(attempt, finished))

    def _finished(self, attempt: Attempt, finished: Any) -> None:
        self._tasks.pop(attempt.id, None)
        if finished.cancelled():
            self._end(attempt, None, asyncio.CancelledError("cancelled"))
        else:
            self._end(attempt, *finished.result())

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            loop = asyncio.new_event_loop()
            serving = (loop, self._closing)
            threading.Thread(target=_serve_loop, args=serving, name=f"{self._name}-loop", daemon=True).start()
            self._loop = loop
        return self._loop


def _serve_loop(loop: asyncio.AbstractEventLoop, closing: threading.Event) -> None:
    """Run *loop* until *closing*; then end the handlers that were given up, and close it. A handler's task that exits,
    or a handler that stops the loop, stops no other handler."""
    while not closing.is_set():
        with contextlib.suppress(SystemExit, KeyboardInterrupt):  # whoever awaits that task is told as well
            loop.run_forever()
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(_ended(left))
    loop.close()


async def _ended(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


async def _call(handler: Handler, attempt: Attempt, read: Read) -> tuple[Any, BaseException | None]:
    """What the handler returned, or raised: a SystemExit that left its task would end the loop for everybody."""
    try:
        answer: Any = handler(attempt)
        result = await answer
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001  # it is reported, as the thread's is
        return read(None, error)
    return read(result, None)
