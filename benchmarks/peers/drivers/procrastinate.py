"""Procrastinate: a worker on psycopg's pool, a retry strategy without delay, ``retry_job_by_id`` of the failed job.

A job that may not be retried keeps the status ``failed``, which is its dead letter. Finished jobs are kept, as the
library does unless told otherwise; triggers write a table of events.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import psycopg
from procrastinate import App, PsycopgConnector, RetryStrategy

from benchmarks.peers.drivers.crew import Together, alone, crew
from benchmarks.peers.drivers.lifecycles import INPUT, Provider, arguments, prove, tell, version_of
from benchmarks.peers.drivers.postgres_settings import ASK, durable

CONCURRENCY = 20


async def work(app: App, concurrency: int) -> None:
    """A worker until no job is left; one that does not wait also stops while its last jobs are about to be retried."""
    left = 1
    while left:
        await app.run_worker_async(
            concurrency=concurrency, wait=False, install_signal_handlers=False, listen_notify=False
        )
        left = sum(queue["todo"] + queue["doing"] for queue in await app.job_manager.list_queues_async())


async def phases(url: str, share: range, provider: Provider, together: Together, concurrency: int) -> None:
    """One process; with jobs side by side, its share is submitted as one batch, and retried side by side."""
    app = App(connector=PsycopgConnector(conninfo=url, min_size=1, max_size=max(2, min(concurrency, 10))))

    @app.task(name="charge", retry=RetryStrategy(max_attempts=1))
    async def charge(job: int, body: dict[str, object]) -> dict[str, str]:
        assert body
        return provider.charge(job)

    async def retry(job_id: int) -> None:
        await app.job_manager.retry_job_by_id_async(job_id, retry_at=datetime.now(UTC))

    bodies = [{"job": job, "body": INPUT} for job in share]
    async with app.open_async():
        together.wait()
        if concurrency > 1:
            ids = await charge.batch_defer_async(*bodies)
        else:
            ids = [await charge.defer_async(**body) for body in bodies]
        together.wait()
        await work(app, concurrency)
        together.wait()
        provider.up = True
        if concurrency > 1:
            await asyncio.gather(*map(retry, ids))
        else:
            for job_id in ids:
                await retry(job_id)
        together.wait()
        await work(app, concurrency)
        together.wait()


def shift(concurrency: int, url: str, share: range, provider: Provider, together: Together) -> None:
    """One process."""
    logging.disable()
    asyncio.run(phases(url, share, provider, together, concurrency))


async def install(url: str) -> None:
    """The tables."""
    app = App(connector=PsycopgConnector(conninfo=url))
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


def run(url: str, lifecycles: int, *, concurrency: int = 1, processes: int = 1) -> None:
    """Measure, prove and tell."""
    asyncio.run(install(url))
    work_of_one = partial(shift, concurrency)
    if processes == 1:
        measured, calls = alone(work_of_one, url, lifecycles)
    else:
        measured, calls = crew(work_of_one, url, lifecycles, processes)
    with psycopg.connect(url) as connection:
        ((succeeded,),) = connection.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'")
        settings = durable(connection.execute(ASK).fetchone())
    prove(lifecycles, calls, finished=succeeded)
    version = version_of("procrastinate", "psycopg")
    tell(lifecycles, measured, version=version, settings=f"concurrency={concurrency}; {settings}")


WAYS: dict[str, Callable[[str, int], None]] = {
    "one": run,
    **{f"side-by-side-{n}-processes": partial(run, concurrency=CONCURRENCY, processes=n) for n in (1, 2, 4)},
}

if __name__ == "__main__":
    arguments(WAYS)
