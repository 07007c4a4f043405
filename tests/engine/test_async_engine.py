"""What is the event loop's own: many at once, cancelled awaits, closing, the right loop, streams."""

import asyncio
import threading
from contextvars import ContextVar
from pathlib import Path

import pytest

import redrive
from redrive import AsyncEngine, EngineClosed, InvalidValue, RunId, StorageError, Worker
from redrive.async_engine import Opening
from redrive.asynchronous import THREADS
from tests.engine.loops import Test, begun, held, live, on, submit, true
from tests.stores import log_url


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A log that does not exist yet."""
    return log_url(tmp_path / "log.db")


def test_a_hundred_at_once_share_commits(url: str) -> None:
    """Each has a claim of its own; the log is written less often than it is asked."""

    async def test(engine: AsyncEngine) -> None:
        with held(engine):
            lives = [asyncio.create_task(live(engine, n)) for n in range(100)]
            await begun(engine, THREADS)
        await asyncio.gather(*lives)
        assert (await engine.local.counts()).runs == {"completed": 100}
        assert engine.sync.ledger.committer.commits < 300

    on(url, test)


def test_all_that_wait_are_one_commit(url: str) -> None:
    """As many as there are threads."""

    async def test(engine: AsyncEngine) -> None:
        with held(engine):
            tasks = [submit(engine, n) for n in range(THREADS)]
            await begun(engine, THREADS)
        assert len(set(await asyncio.gather(*tasks))) == THREADS
        assert engine.sync.ledger.committer.commits == 1

    on(url, test)


def test_a_cancelled_command_runs_to_its_end_or_never_began(url: str) -> None:
    """The first was begun, the last waited for a thread; neither await goes on, and nothing is half done."""

    async def test(engine: AsyncEngine) -> None:
        with held(engine):
            tasks = [submit(engine, n) for n in range(THREADS + 1)]
            await begun(engine, THREADS)
            for task in (tasks[0], tasks[-1]):
                task.cancel()
            await asyncio.wait([tasks[0], tasks[-1]])
        await asyncio.gather(*tasks[1:-1])
        assert tasks[0].cancelled()
        assert tasks[-1].cancelled()

    on(url, test)
    with redrive.open(url) as engine:
        assert {run.key for run in engine.local.runs().items} == {str(n) for n in range(THREADS)}


@pytest.mark.sqlite_only
@pytest.mark.parametrize("asked", ["at", "what_if"])
def test_a_past_that_nobody_waits_for_is_closed(url: str, tmp_path: Path, asked: str) -> None:
    """It is a database of its own, which would stay as long as the process."""
    reading, go_on = threading.Event(), threading.Event()

    def hold(_done: int, _of: int) -> None:
        reading.set()
        go_on.wait(60)

    async def test(engine: AsyncEngine) -> None:
        await submit(engine, 1)
        asking = engine.at("now", progress=hold) if asked == "at" else engine.what_if({"version": 1}, progress=hold)
        task = asyncio.create_task(asking)
        await asyncio.to_thread(reading.wait)
        task.cancel()
        await asyncio.wait([task])
        go_on.set()

    on(url, test)
    assert [path.name for path in tmp_path.iterdir() if ".past" in path.name] == []


def test_asking_again_after_a_cancelled_await(url: str) -> None:
    """The same key gives the run that was submitted all the same."""

    async def test(engine: AsyncEngine) -> None:
        with held(engine):
            task = submit(engine)
            await begun(engine, 1)
            task.cancel()
            again = submit(engine)
            await begun(engine, 2)
        run = await again
        assert [summary.run_id for summary in (await engine.local.runs()).items] == [run]

    on(url, test)


def test_closing_waits_for_what_runs(url: str) -> None:
    """What was asked for before is done; what comes later is refused."""

    async def test(engine: AsyncEngine) -> None:
        with held(engine):
            tasks = [submit(engine, n) for n in range(2 * THREADS)]
            await begun(engine, THREADS)
            closing = asyncio.create_task(engine.close())
            await asyncio.sleep(0)
            with pytest.raises(EngineClosed, match=r": the engine is closed"):
                await submit(engine, 99)
            assert not closing.done()
        await closing
        assert len(set(await asyncio.gather(*tasks))) == 2 * THREADS

    on(url, test)


def test_a_cancelled_close_goes_on(url: str) -> None:
    """Whoever closes again waits for the same end."""

    async def test(engine: AsyncEngine) -> None:
        with held(engine):
            submitted = submit(engine)
            await begun(engine, 1)
            closing = asyncio.create_task(engine.close())
            await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait([closing])
        await engine.close()
        assert closing.cancelled()
        assert submitted.done()
        assert engine.sync.ledger.committer.closed

    on(url, test)


def test_nothing_is_left_running_after_close(url: str) -> None:
    """Neither threads nor the connections that they read with."""
    on(url, lambda engine: engine.local.counts())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("redrive-async")]


@pytest.mark.parametrize(
    "call",
    [
        lambda engine: engine.local.runs(),
        lambda engine: anext(aiter(engine.local.whole_history(RunId("x")))),
        lambda engine: engine.views.status(),
        lambda engine: engine.tick(),
    ],
)
def test_a_closed_engine_says_so(url: str, call: Test) -> None:
    """Queries too."""

    async def test(engine: AsyncEngine) -> None:
        await engine.close()
        with pytest.raises(EngineClosed):
            await call(engine)

    on(url, test)


@pytest.mark.parametrize("call", [lambda engine: engine.local.runs(), lambda engine: engine.close()])
def test_an_engine_belongs_to_one_loop(url: str, call: Test) -> None:
    """In another one it would wait for ever, or wake the wrong one."""

    async def opened() -> AsyncEngine:
        return await redrive.open_async(url)

    engine = asyncio.run(opened())

    async def elsewhere() -> None:
        with pytest.raises(RuntimeError, match="opened in another event loop"):
            await call(engine)

    asyncio.run(elsewhere())
    engine.sync.close()


def test_a_cancelled_opening_leaves_nothing_open(url: str) -> None:
    """The thread opens the log all the same, and closes it."""
    go, engines = threading.Event(), list[redrive.Engine]()

    def opened() -> redrive.Engine:
        go.wait(60)
        engines.append(redrive.open(url))
        return engines[0]

    async def test() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Opening(opened, url)._open(), 0.05)
        go.set()
        await true(lambda: engines and engines[0].ledger.committer.closed)

    asyncio.run(test())


@pytest.mark.parametrize(("bad", "error"), [("mysql:///x", InvalidValue), ("sqlite:////no/such/x.db", StorageError)])
def test_what_cannot_be_opened(bad: str, error: type[Exception]) -> None:
    """As the engine for threads says it."""
    with pytest.raises(error):
        on(bad, lambda engine: engine.tick())


def test_a_long_history_comes_in_parts(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, and nothing twice; whoever stops reading leaves nothing behind."""
    monkeypatch.setattr("redrive.asynchronous.CHUNK", 3)

    async def test(engine: AsyncEngine) -> None:
        await live(engine, 1)
        run = (await engine.local.runs()).items[0].run_id
        whole = [entry async for entry in engine.local.whole_history(run)]
        assert whole == list((await engine.local.history(run)).items)
        assert len(whole) > 3
        async for first in engine.local.whole_history(run):
            assert first == whole[0]
            break

    on(url, test)


def test_the_callers_context_is_carried(url: str) -> None:
    """What a host binds for its logs and traces is seen by what is called on its behalf."""
    request: ContextVar[str] = ContextVar("request", default="none")
    seen: list[tuple[str, bool]] = []

    async def test(engine: AsyncEngine) -> None:
        request.set("r-7")
        await submit(engine)
        assert request.get() == "r-7"

    here = threading.current_thread()
    on(url, test, listeners=[lambda _: seen.append((request.get(), threading.current_thread() is here))])
    assert set(seen) == {("r-7", False)}


def test_a_worker_runs_beside_the_loop(url: str) -> None:
    """On the engine below, in a thread."""

    async def test(engine: AsyncEngine) -> None:
        run = await submit(engine)
        worker = Worker(engine.sync, {"a": lambda attempt: "done"})
        await asyncio.to_thread(worker.run_until_idle)
        assert (await engine.local.show(run)).nodes[0].output == "done"

    on(url, test)
