"""persist-queue: ``SQLiteAckQueue``. It knows acknowledged, failed and given back; how often it failed is the user's.

The item carries the number of its failures, and is updated before it is given back: two commits, and the only way in
which a worker that crashed between attempts would leave the next one to know. A second failure is ``ack_failed``, the
operator's retry is ``nack`` of that item.
"""

import persistqueue

from benchmarks.peers.drivers.lifecycles import (
    INPUT,
    Measured,
    Provider,
    ProviderDownError,
    arguments,
    prove,
    sqlite_path,
    sqlite_settings,
    tell,
    version_of,
)


def work(queue: persistqueue.SQLiteAckQueue, provider: Provider) -> list[int]:
    """Work until nothing is ready; the items that failed for the second time."""
    dead = []
    while queue.size:
        item = queue.get(block=False, raw=True)
        job, key = item["data"], item["pqid"]
        try:
            provider.charge(job["id"])
        except ProviderDownError:
            job["failures"] += 1
            if job["failures"] < 2:
                queue.update(job, id=key)
                queue.nack(id=key)
            else:
                queue.ack_failed(id=key)
                dead.append(key)
        else:
            queue.ack(id=key)
    return dead


def one(url: str, lifecycles: int) -> None:
    """One worker."""
    provider = Provider()
    queue = persistqueue.SQLiteAckQueue(str(sqlite_path(url).parent), db_file_name=sqlite_path(url).name)
    with Measured() as measured:
        for job in range(lifecycles):
            queue.put({"id": job, "failures": 0, **INPUT})
        dead = work(queue, provider)
        provider.up = True
        for key in dead:
            queue.nack(id=key)
        work(queue, provider)
    prove(lifecycles, provider.calls, finished=queue.acked_count())
    settings = sqlite_settings(queue._putter)
    tell(lifecycles, measured, version=version_of("persist-queue"), settings=f"SQLiteAckQueue; {settings}")


if __name__ == "__main__":
    arguments({"one": one})
