"""PgQueuer on asyncpg: ``DatabaseRetryEntrypointExecutor`` without delay, ``on_failure="hold"``, ``requeue_jobs``.

A held job is its dead letter; the operator's re-queue is the library's own. Its log table keeps every change of state
with tracebacks, without who re-queued or why. Outcomes other than retries are buffered for up to a tenth of a second
or *batch_size* of them, and written together; finished jobs leave the queue's table.
"""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.executors import DatabaseRetryEntrypointExecutor
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from pgqueuer.types import JobId, QueueExecutionMode

from benchmarks.peers.drivers.crew import Together, alone, crew
from benchmarks.peers.drivers.lifecycles import INPUT, Provider, arguments, prove, tell, version_of
from benchmarks.peers.drivers.postgres_settings import ASK, durable

BATCH = 100
POOL = 10


async def work(url: str, provider: Provider, batch: int) -> None:
    """A worker with *batch* jobs at a time, one connection or a pool, until the queue is drained."""
    connection = await (asyncpg.connect(url) if batch == 1 else asyncpg.create_pool(url, min_size=1, max_size=POOL))
    make = PgQueuer.from_asyncpg_connection if batch == 1 else PgQueuer.from_asyncpg_pool
    worker = make(connection)
    worker.qm.min_dequeue_poll_interval = timedelta(milliseconds=1)

    @worker.entrypoint(
        "charge",
        on_failure="hold",
        executor_factory=lambda parameters: DatabaseRetryEntrypointExecutor(
            parameters=parameters, max_attempts=1, initial_delay=timedelta(0)
        ),
    )
    async def charge(job: Job) -> None:
        assert job.payload is not None
        provider.charge(json.loads(job.payload)["id"])

    await worker.qm.run(batch_size=batch, mode=QueueExecutionMode.drain)
    await connection.close()


async def phases(url: str, share: range, provider: Provider, together: Together, batch: int) -> None:
    """One process; with batches, its share is submitted and re-queued in one statement each."""
    connection = await asyncpg.connect(url)
    queries = Queries.from_asyncpg_connection(connection)
    payloads: list[bytes | None] = [json.dumps({"id": job, **INPUT}).encode() for job in share]
    together.wait()
    ids: list[JobId] = []
    if batch > 1:
        ids = await queries.enqueue(["charge"] * len(share), payloads, [0] * len(share))
    else:
        for payload in payloads:
            ids += await queries.enqueue("charge", payload)
    together.wait()
    await work(url, provider, batch)
    together.wait()
    provider.up = True
    for some in [ids] if batch > 1 else [[job_id] for job_id in ids]:
        await queries.requeue_jobs(some)
    together.wait()
    await work(url, provider, batch)
    together.wait()
    await connection.close()


def shift(batch: int, url: str, share: range, provider: Provider, together: Together) -> None:
    """One process."""
    logging.disable()
    uvloop.run(phases(url, share, provider, together, batch))


async def install(url: str) -> None:
    """The tables."""
    connection = await asyncpg.connect(url)
    await Queries.from_asyncpg_connection(connection).install()
    await connection.close()


async def finished(url: str) -> tuple[int, str]:
    """How many jobs succeeded, by the log, and how durable that is."""
    connection = await asyncpg.connect(url)
    successful = await connection.fetchval("SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'")
    settings = durable(await connection.fetchrow(ASK))
    await connection.close()
    return successful, settings


def run(url: str, lifecycles: int, *, batch: int, processes: int = 1) -> None:
    """Measure, prove and tell."""
    uvloop.run(install(url))
    work_of_one = partial(shift, batch)
    if processes == 1:
        measured, calls = alone(work_of_one, url, lifecycles)
    else:
        measured, calls = crew(work_of_one, url, lifecycles, processes)
    successful, settings = uvloop.run(finished(url))
    prove(lifecycles, calls, finished=successful)
    pooled = f"batch_size={batch}, {'one connection' if batch == 1 else f'pool of {POOL}'}"
    version = version_of("pgqueuer", "asyncpg", "uvloop")
    tell(lifecycles, measured, version=version, settings=f"{pooled}; {settings}")


WAYS: dict[str, Callable[[str, int], None]] = {
    "one": partial(run, batch=1),
    **{f"batch-{n}-processes": partial(run, batch=BATCH, processes=n) for n in (1, 2, 4)},
}

if __name__ == "__main__":
    arguments(WAYS)
