"""The engine for asyncio: the same names, awaited. The synchronous engine below it does the work, in a few threads."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Generator
from functools import partial, wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, Self, TypeVar

from redrive.async_tenant import AsyncTenantEngine, AsyncView
from redrive.asynchronous import Asynchronous, Threads, awaited, command_of
from redrive.domain.errors import InvalidValue
from redrive.domain.identity import Tenant
from redrive.engine import Batch, Engine
from redrive.ledger.pending import Pending
from redrive.ledger.urls import hidden
from redrive.opening import open  # noqa: A004

P = ParamSpec("P")
T = TypeVar("T")


class AsyncEngine(Asynchronous[Engine]):
    """One log, for every tenant and for the event loop in which it was opened: ``await redrive.open_async(…)``.

    It blocks the event loop nowhere: a few threads do what waits for the log, and commands of coroutines that wait
    together share commits. Close it when done, or use it as an asynchronous context manager. In another event loop
    its methods raise RuntimeError, after ``close`` EngineClosed. ``sync`` is the engine below it, for what runs in a
    thread, as a ``Worker`` or a ``Ticker`` does.
    """

    @property
    def local(self) -> AsyncTenantEngine:
        """The default tenant, local/default/default."""
        return self.for_tenant(Tenant())

    @property
    def views(self) -> AsyncView:
        """The query views."""
        return AsyncView(self.sync.views, self._threads)

    def for_tenant(self, tenant: Tenant) -> AsyncTenantEngine:
        """Commands and queries of one tenant; nothing of any other can be seen through it."""
        return AsyncTenantEngine(self.sync.for_tenant(tenant), self._threads)

    def batch(self) -> "AsyncBatch":
        """Several commands in one commit: ``async with engine.batch() as batch: batch.add(acme.submit, …)``."""
        return AsyncBatch(self.sync.batch(), self._threads)

    def now_ms(self) -> int:
        """The time by the engine's clock."""
        return self.sync.now_ms()

    claim_many = awaited(Engine.claim_many)
    set_limit = awaited(Engine.set_limit)
    change_limit = awaited(Engine.change_limit)
    remove_limit = awaited(Engine.remove_limit)
    limits = awaited(Engine.limits)
    destroy_key = awaited(Engine.destroy_key)
    privacy_status = awaited(Engine.privacy_status)
    archive = awaited(Engine.archive)
    tick = awaited(Engine.tick)
    sweep = awaited(Engine.sweep)
    seal = awaited(Engine.seal)
    await_sealed = awaited(Engine.await_sealed)
    anchor = awaited(Engine.anchor)
    verify = awaited(Engine.verify)
    export = awaited(Engine.export)
    at = awaited(Engine.at)
    timeline = awaited(Engine.timeline)
    why = awaited(Engine.why)
    blast = awaited(Engine.blast)
    diff = awaited(Engine.diff)
    first = awaited(Engine.first)
    replay_check = awaited(Engine.replay_check)
    what_if = awaited(Engine.what_if)

    async def close(self) -> None:
        """Begin nothing more, let what was asked for run to its end, then close the log and the views."""
        await self._threads.end(self.sync.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


class AsyncBatch(Asynchronous[Batch]):
    """Commands that are committed together when the ``async with`` block ends. One refusal harms no other."""

    def add(self, command: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> Pending[T]:
        """Queue a command of an ``AsyncTenantEngine``, not awaited; its ``result()`` exists after the block. Bad
        values raise here."""
        return self.sync.add(command_of(command), *args, **kwargs)

    async def __aenter__(self) -> Self:
        self.sync.__enter__()
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error_type is None:
            await self._threads.call(self.sync.__exit__, None)
        else:
            self.sync.__exit__(error_type, error, trace)  # commits nothing


class Opening:
    """An engine that is being opened: await it, or enter it with ``async with``, which also closes it."""

    def __init__(self, opened: Callable[[], Engine], name: str) -> None:
        self._opened, self._name = opened, name
        self._engine: AsyncEngine | None = None

    def __await__(self) -> Generator[Any, None, AsyncEngine]:
        return self._open().__await__()

    if not TYPE_CHECKING:  # a type checker that saw it would take what follows for never reached, and say nothing

        def __enter__(self) -> NoReturn:
            raise InvalidValue("open_async", "with", "async with, or await: it opens an engine for asyncio")

        def __exit__(self, *_error: object) -> None:
            """Never reached: it cannot be entered."""

    async def __aenter__(self) -> AsyncEngine:
        self._engine = await self._open()
        return self._engine

    async def __aexit__(self, *_error: object) -> None:
        if self._engine is not None:
            await self._engine.close()

    async def _open(self) -> AsyncEngine:
        threads = Threads(self._name)
        opening = threads.begin(self._opened)

        def close() -> None:
            if not opening.cancelled() and opening.exception() is None:
                opening.result().close()

        try:
            return AsyncEngine(await asyncio.wrap_future(opening), threads)
        except BaseException:  # a cancelled await above all: what is opened all the same is closed
            threads.end_then(close)
            raise


Opener = Callable[[Callable[[], Engine], str], Opening]


def _with_options_of(open_: Callable[P, Engine]) -> Callable[[Opener], Callable[P, Opening]]:
    """Give a function the parameters of *open_*, whatever they become."""

    def given(made: Opener) -> Callable[P, Opening]:
        signature = inspect.signature(open_)

        @wraps(made)
        def with_options(*args: P.args, **kwargs: P.kwargs) -> Opening:
            named = signature.bind(*args, **kwargs)
            named.apply_defaults()
            url = named.arguments["url"]
            if isinstance(url, (list, tuple)):
                accepted = "one URL: several are opened by redrive.open, and used in threads (asyncio.to_thread)"
                raise InvalidValue("db", [hidden(one) for one in url], accepted)
            return made(partial(open_, *args, **kwargs), str(url))

        with_options.__signature__ = signature.replace(return_annotation=Opening)  # type: ignore[attr-defined]
        return with_options

    return given


@_with_options_of(open)
def open_async(opened: Callable[[], Engine], url: str) -> Opening:
    """Open a log for asyncio: ``engine = await redrive.open_async(url)``, or ``async with redrive.open_async(url) as
    engine``. The options are those of ``open``; *clock*, *dice*, *listeners* and a function as *redrive_policy* are
    called in the engine's threads. Raises InvalidValue, also for several URLs, and StorageError."""
    return Opening(opened, url)
