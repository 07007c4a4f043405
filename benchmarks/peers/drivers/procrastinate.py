"""Procrastinate: a worker on psycopg's pool, a retry strategy without delay, ``retry_job_by_id`` of the failed job.

A job that may not be retried keeps the status ``failed``, which is its dead letter. Finished jobs are kept, as the
library does unless told otherwise; its events table is filled by triggers.
"""

import asyncio
import logging
from datetime import UTC, datetime

import psycopg
from procrastinate import App, PsycopgConnector, RetryStrategy

from benchmarks.peers.drivers.lifecycles import (
    INPUT,
    Measured,
    Provider,
    arguments,
    prove,
    tell,
    version_of,
)
from benchmarks.peers.drivers.postgres_settings import ASK, durable

CONCURRENCY = 20


async def run(url: str, lifecycles: int, *, concurrency: int, together: bool) -> None:
    """Work with *concurrency* jobs at a time; *together*: submitted as one batch, retries requested side by side."""
    logging.disable()
    provider = Provider()
    app = App(connector=PsycopgConnector(conninfo=url, min_size=1, max_size=max(2, concurrency)))

    @app.task(retry=RetryStrategy(max_attempts=1))
    async def charge(job: int, body: dict[str, object]) -> dict[str, str]:
        assert body
        return provider.charge(job)

    async def work(*, calls: int) -> None:
        # A worker that does not wait also stops while its last jobs, about to fail, will be ready once more.
        while provider.calls.total() < calls:
            await app.run_worker_async(
                concurrency=concurrency, wait=False, install_signal_handlers=False, listen_notify=False
            )

    async def retry(job_id: int) -> None:
        await app.job_manager.retry_job_by_id_async(job_id, retry_at=datetime.now(UTC))

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        with Measured() as measured:
            bodies = [{"job": job, "body": INPUT} for job in range(lifecycles)]
            if together:
                ids = await charge.batch_defer_async(*bodies)
            else:
                ids = [await charge.defer_async(**body) for body in bodies]
            await work(calls=2 * lifecycles)
            provider.up = True
            if together:
                await asyncio.gather(*map(retry, ids))
            else:
                for job_id in ids:
                    await retry(job_id)
            await work(calls=3 * lifecycles)
        finished = list(await app.job_manager.list_jobs_async(status="succeeded"))
    prove(lifecycles, provider.calls, finished=len(finished))
    with psycopg.connect(url) as connection:
        settings = durable(connection.execute(ASK).fetchone())
    version = version_of("procrastinate", "psycopg")
    tell(lifecycles, measured, version=version, settings=f"concurrency={concurrency}; {settings}")


def one(url: str, lifecycles: int) -> None:
    """One job at a time."""
    asyncio.run(run(url, lifecycles, concurrency=1, together=False))


def best(url: str, lifecycles: int) -> None:
    """Jobs side by side in one worker."""
    asyncio.run(run(url, lifecycles, concurrency=CONCURRENCY, together=True))


if __name__ == "__main__":
    arguments({"one": one, "best": best})
