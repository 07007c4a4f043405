"""DBOS: a workflow of one step with two attempts, on a queue; the failed workflow is forked by the operator.

A workflow in status ERROR is its dead letter. ``fork_workflow`` is what its documentation has an operator do: a copy
under another id starts again on the queue, and points to the original. Attempts within a step are not recorded, and
not claimed again: the process sleeps between them.
"""

import sqlite3
import time

import psycopg
from dbos import DBOS, DBOSConfig, Queue, WorkflowHandle

from benchmarks.peers.drivers.lifecycles import (
    INPUT,
    Measured,
    Provider,
    arguments,
    prove,
    sqlite_path,
    sqlite_settings,
    tell,
    version_of,
)
from benchmarks.peers.drivers.postgres_settings import ASK, durable

QUEUE = "charges"
WAIT_S = 0.005
LOOK_S = 1.5  # DBOS looks for new queues every second
provider = Provider()


@DBOS.step(retries_allowed=True, max_attempts=2, interval_seconds=0.0)
def charge(job: int) -> dict[str, str]:
    """The step."""
    return provider.charge(job)


@DBOS.workflow()
def invoice(job: int, _body: dict[str, object]) -> dict[str, str]:
    """The job."""
    return charge(job)


def prepared(url: str) -> str:
    """Write-ahead logging for SQLite, which DBOS does not ask for and which lasts in the file: it is faster here."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(sqlite_path(url))
        connection.execute("PRAGMA journal_mode=WAL")
        settings = sqlite_settings(connection)
        connection.close()
        return settings
    with psycopg.connect(url) as connection:
        return durable(connection.execute(ASK).fetchone())


def settle(status: str, many: int, *, calls: int) -> None:
    """Wait until *many* workflows have *status*; the store is not asked before *calls* attempts were made."""
    while provider.calls.total() < calls:
        time.sleep(WAIT_S)
    while len(DBOS.list_workflows(status=status, load_input=False, load_output=False)) < many:
        time.sleep(WAIT_S)


def run(url: str, lifecycles: int, *, concurrency: int | None, polling_s: float) -> None:
    """Work with *concurrency* workflows at a time, looking for new ones every *polling_s* seconds."""
    settings = prepared(url)
    config: DBOSConfig = {"name": "peers", "system_database_url": url, "log_level": "CRITICAL"}
    DBOS(config=config)
    DBOS.launch()
    queue: Queue = DBOS.register_queue(QUEUE, worker_concurrency=concurrency, polling_interval_sec=polling_s)
    time.sleep(LOOK_S)
    with Measured() as measured:
        handles: list[WorkflowHandle[dict[str, str]]] = [
            queue.enqueue(invoice, job, INPUT) for job in range(lifecycles)
        ]
        settle("ERROR", lifecycles, calls=2 * lifecycles)
        provider.up = True
        for handle in handles:
            DBOS.fork_workflow(handle.get_workflow_id(), 1, queue_name=QUEUE)
        settle("SUCCESS", lifecycles, calls=3 * lifecycles)
    finished = len(DBOS.list_workflows(status="SUCCESS"))
    DBOS.destroy()
    prove(lifecycles, provider.calls, finished=finished)
    tell(
        lifecycles,
        measured,
        version=version_of("dbos", "sqlalchemy"),
        settings=f"worker_concurrency={concurrency}, polling_interval_sec={polling_s}; {settings}",
    )


def one(url: str, lifecycles: int) -> None:
    """One workflow at a time."""
    run(url, lifecycles, concurrency=1, polling_s=0.001)


def best(url: str, lifecycles: int) -> None:
    """As many as there are; a queue that looks less often leaves the processor to them."""
    run(url, lifecycles, concurrency=None, polling_s=0.02)


if __name__ == "__main__":
    arguments({"one": one, "best": best})
