"""PgQueuer on asyncpg: ``DatabaseRetryEntrypointExecutor`` without delay, ``on_failure="hold"``, ``requeue_jobs``.

A held job is its dead letter; the operator's re-queue is the library's own. Its log table keeps every change of state
with tracebacks, without who re-queued or why. Outcomes other than retries are buffered for up to a tenth of a second
or *batch_size* of them, and written together; finished jobs leave the queue's table.
"""

import json
import logging
from datetime import timedelta

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.executors import DatabaseRetryEntrypointExecutor
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from pgqueuer.types import JobId, QueueExecutionMode

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

BATCH = 100


async def work(url: str, provider: Provider, batch: int) -> None:
    """A worker with *batch* jobs at a time, until the queue is drained."""
    connection = await asyncpg.connect(url)
    worker = PgQueuer.from_asyncpg_connection(connection)
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


async def run(url: str, lifecycles: int, *, batch: int, together: bool) -> None:
    """Work with *batch* jobs at a time; *together*: submitted and re-queued in one statement each."""
    logging.disable()
    provider = Provider()
    connection = await asyncpg.connect(url)
    queries = Queries.from_asyncpg_connection(connection)
    await queries.install()
    payloads: list[bytes | None] = [json.dumps({"id": job, **INPUT}).encode() for job in range(lifecycles)]
    with Measured() as measured:
        ids: list[JobId] = []
        if together:
            ids = await queries.enqueue(["charge"] * lifecycles, payloads, [0] * lifecycles)
        else:
            for payload in payloads:
                ids += await queries.enqueue("charge", payload)
        await work(url, provider, batch)
        provider.up = True
        for some in [ids] if together else [[job_id] for job_id in ids]:
            await queries.requeue_jobs(some)
        await work(url, provider, batch)
    rows = await connection.fetch("SELECT count(*) AS n FROM pgqueuer_log WHERE status = 'successful'")
    settings = durable(await connection.fetchrow(ASK))
    await connection.close()
    prove(lifecycles, provider.calls, finished=rows[0]["n"])
    version = version_of("pgqueuer", "asyncpg", "uvloop")
    tell(lifecycles, measured, version=version, settings=f"batch_size={batch}; {settings}")


def one(url: str, lifecycles: int) -> None:
    """One job at a time."""
    uvloop.run(run(url, lifecycles, batch=1, together=False))


def best(url: str, lifecycles: int) -> None:
    """Large batches in one worker."""
    uvloop.run(run(url, lifecycles, batch=BATCH, together=True))


if __name__ == "__main__":
    arguments({"one": one, "best": best})
