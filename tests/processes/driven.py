"""The asynchronous engine, for tests that are written for threads: each call is a coroutine that runs to its end."""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Container
from functools import cache
from typing import Any, Self, cast

import pytest

import redrive
from redrive.asynchronous import Asynchronous
from tests.processes.workshop import Shop
from tests.stores import log_url


@cache
def loop() -> asyncio.AbstractEventLoop:
    """The event loop of these tests, in a thread of its own."""
    made = asyncio.new_event_loop()
    threading.Thread(target=made.run_forever, name="driven", daemon=True).start()
    return made


class Driven:
    """What an asynchronous object is to a caller without an event loop; what it lacks, the one below it has."""

    def __init__(self, face: Asynchronous[Any]) -> None:
        self._face = face

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._face, name) if hasattr(self._face, name) else getattr(self._face.sync, name)
        return Call(found) if inspect.ismethod(found) and found.__self__ is self._face else _plain(found)

    def __enter__(self) -> Self:
        _plain(cast(Any, self._face).__aenter__())
        return self

    def __exit__(self, *error: object) -> None:
        _plain(cast(Any, self._face).__aexit__(*error))


class Call:
    """A method; as an argument, as batches take it, it is the method itself."""

    def __init__(self, method: Any) -> None:
        self.method = method

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _plain(self.method(*(arg.method if isinstance(arg, Call) else arg for arg in args), **kwargs))


class AsyncShop(Shop):
    """A shop with an asynchronous engine."""

    def _open(self) -> redrive.Engine:
        url = log_url(self.path)
        opening = redrive.open_async(url, clock=lambda: self.now, dice=lambda: 0.0, **self.options)
        return cast(redrive.Engine, _plain(_awaited(opening)))


FACES = {"threads": Shop, "asyncio": AsyncShop}


@pytest.fixture
def face(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which engine every shop of a test opens."""
    name: str = getattr(request, "param", "threads")
    if name != "threads":
        monkeypatch.setattr(Shop, "_open", FACES[name]._open)
    return name


def on_each_face(metafunc: pytest.Metafunc, modules: Container[str]) -> None:
    """Run the tests of *modules* on both engines (asyncio takes its time: it runs with the long ones), but for those
    that feign the death of their process: that takes a thread with it, and not the event loop."""
    feigns = {"crash", "kills"} & set(metafunc.function.__name__.split("_"))
    if metafunc.module.__name__.rpartition(".")[2] in modules and not feigns:
        asyncio_ = pytest.param("asyncio", marks=pytest.mark.long)
        metafunc.parametrize("face", ["threads", asyncio_], indirect=True)


def _plain(value: Any) -> Any:
    if inspect.iscoroutine(value):
        return _plain(asyncio.run_coroutine_threadsafe(value, loop()).result(60))
    if inspect.isasyncgen(value):
        return iter(_plain(_all(value)))
    return Driven(value) if isinstance(value, Asynchronous) else value


async def _awaited(opening: Any) -> Any:
    return await opening


async def _all(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]
