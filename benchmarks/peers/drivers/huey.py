"""Huey: ``SqliteHuey``, a task with one retry and no delay, a consumer's worker.

Huey has no dead letter: after the last retry the error is left in the result store under the task's id, which is what
its user finds. The operator's retry is the same task enqueued again, with what the operator knows of its arguments.
"""

import logging

from huey import SqliteHuey
from huey.api import Task
from huey.consumer import Worker

from benchmarks.peers.drivers.lifecycles import (
    INPUT,
    OUTPUT,
    Measured,
    Provider,
    arguments,
    prove,
    sqlite_path,
    sqlite_settings,
    tell,
    version_of,
)


def work(huey: SqliteHuey, worker: Worker) -> None:
    """The loop of a consumer's worker, until the queue is empty."""
    while huey.pending_count():
        for _ in range(huey.pending_count()):
            worker.loop()


def one(url: str, lifecycles: int) -> None:
    """One worker."""
    logging.disable()
    provider = Provider()
    huey = SqliteHuey(filename=str(sqlite_path(url)), fsync=True)

    @huey.task(retries=1, retry_delay=0)
    def charge(job: int, _input: dict[str, object]) -> dict[str, str]:
        return provider.charge(job)

    worker = huey.create_consumer(workers=1)._create_worker()
    with Measured() as measured:
        tasks: list[Task] = [charge(job, INPUT).task for job in range(lifecycles)]
        work(huey, worker)
        provider.up = True
        for task in tasks:
            huey.enqueue(task)
        work(huey, worker)
    receipts = sum(huey.get(task.id, peek=True) == OUTPUT for task in tasks)
    prove(lifecycles, provider.calls, finished=receipts)
    settings = sqlite_settings(huey.storage.conn)
    tell(lifecycles, measured, version=version_of("huey"), settings=f"SqliteHuey(fsync=True); {settings}")


if __name__ == "__main__":
    arguments({"one": one})
