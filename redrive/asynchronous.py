"""How a synchronous method becomes a coroutine: a few threads make the calls, the event loop only waits."""

import asyncio
import contextvars
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial, wraps
from itertools import islice
from types import GenericAlias
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, get_args

from redrive.domain.errors import EngineClosed, InvalidValue

P = ParamSpec("P")
T = TypeVar("T")
S_co = TypeVar("S_co", covariant=True)

THREADS = 16
"""So many calls share a commit at most; each thread has a connection of its own for reading."""
CHUNK = 500


class Threads:
    """The threads that make the calls of one event loop. *name* is the file, for sentences."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="redrive-async")
        self._name = name
        self._ended: asyncio.Future[None] | None = None
        self._sending = 0
        self._nothing_sent = asyncio.Event()
        self._nothing_sent.set()

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call in a thread, in the context of the caller. Who is cancelled while it waits for a free thread
        has not begun; who is cancelled later waits no longer, while the call goes on to its end.

        Raises EngineClosed after ``end``, RuntimeError in another event loop than the one of the start.
        """
        self._require_open()
        return await self.go_on(function, *args, **kwargs)

    async def go_on(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call that belongs to something that began before the end."""
        begun = self.begin(partial(function, *args, **kwargs))
        try:
            return await asyncio.wrap_future(begun)
        except asyncio.CancelledError:
            begun.add_done_callback(_close_unwanted)
            raise

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """An effect is being sent: the end waits for its outcome. Raises as ``call``."""
        self._require_open()
        self._sending += 1
        self._nothing_sent.clear()
        try:
            yield
        finally:
            self._sending -= 1
            if not self._sending:
                self._nothing_sent.set()

    def begin(self, function: Callable[[], T]) -> Future[T]:
        """Begin a call as soon as a thread is free."""
        return self._pool.submit(contextvars.copy_context().run, function)

    async def end(self, last: Callable[[], object]) -> None:
        """Begin no further call, wait for those that were asked for, then call *last*; once, whoever asks. It goes
        on when the caller is cancelled."""
        self._require_here()
        if self._ended is None:
            self._ended = asyncio.ensure_future(self._end(last))
        await asyncio.shield(self._ended)

    async def _end(self, last: Callable[[], object]) -> None:
        await self._nothing_sent.wait()
        await asyncio.wrap_future(self.end_then(last))

    def end_then(self, last: Callable[[], object]) -> Future[None]:
        """Wait for what runs, then call *last*, in a thread that is there for nothing else."""

        def end() -> None:
            self._pool.shutdown()
            last()

        closer = ThreadPoolExecutor(1, thread_name_prefix="redrive-close")
        ended = closer.submit(end)
        closer.shutdown(wait=False)
        return ended

    def _require_open(self) -> None:
        self._require_here()
        if self._ended is not None:
            raise EngineClosed(f"{self._name}: the engine is closed")

    def _require_here(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                f"{self._name}: this AsyncEngine was opened in another event loop; open one in each loop, or share "
                "the engine below it (engine.sync) between threads"
            )


def _close_unwanted(done: "Future[Any]") -> None:
    """Nobody waits any longer for what a call gives: a past, say, is a database of its own."""
    if not done.cancelled() and done.exception() is None and (close := getattr(done.result(), "close", None)):
        close()


class Asynchronous(Generic[S_co]):
    """The asynchronous face of *sync*."""

    def __init_subclass__(cls) -> None:
        for name, method in vars(cls).items():  # "coroutine 'AsyncTenantEngine.submit' was never awaited"
            if hasattr(method, "__wrapped__"):
                method.__module__, method.__qualname__ = cls.__module__, f"{cls.__qualname__}.{name}"

    def __init__(self, sync: S_co, threads: Threads) -> None:
        self._sync = sync
        self._threads = threads

    @property
    def sync(self) -> S_co:
        """The same thing for threads, on the same log. Its methods block: do not call them in the event loop."""
        return self._sync


def awaited(
    method: Callable[Concatenate[S_co, P], T],
) -> Callable[Concatenate[Asynchronous[S_co], P], Coroutine[Any, Any, T]]:
    """*method* as a coroutine method of the same parameters."""

    async def call(self: Asynchronous[S_co], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._threads.call(method, self.sync, *args, **kwargs)

    return wraps(method)(call)


def streamed(
    method: Callable[Concatenate[S_co, P], Iterator[T]],
) -> Callable[Concatenate[Asynchronous[S_co], P], AsyncIterator[T]]:
    """*method*, whose iterator reads as it goes and keeps no cursor open, as an asynchronous iterator."""

    async def call(self: Asynchronous[S_co], /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        items = await self._threads.call(method, self.sync, *args, **kwargs)
        while chunk := await self._threads.call(lambda: list(islice(items, CHUNK))):
            for item in chunk:
                yield item

    streaming = wraps(method)(call)
    signature = inspect.signature(method)
    returned = GenericAlias(AsyncIterator, get_args(signature.return_annotation))
    streaming.__signature__ = signature.replace(return_annotation=returned)  # type: ignore[attr-defined]
    streaming.__annotations__ = {**method.__annotations__, "return": returned}  # what documentation is made of
    return streaming


def command_of(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """The synchronous method behind a method that ``awaited`` made. Raises InvalidValue for any other."""
    owner, function = getattr(method, "__self__", None), getattr(method, "__wrapped__", None)
    if not isinstance(owner, Asynchronous) or function is None or not inspect.iscoroutinefunction(method):
        raise InvalidValue("command", method, "a method of an AsyncTenantEngine, for example acme.submit")
    return partial(function, owner.sync)
