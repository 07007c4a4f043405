"""Workers on bad days: storage that fails, wholly or in part, and other processes that end in the middle."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from redrive import Attempt, Conflict, Retry, StorageError
from redrive.domain.run import events as e
from redrive.ledger.pending import Pending
from tests.processes.workshop import Shop, beside, chain, logged, policy, running, until, work, worker_of, working

Jobs = Sequence[tuple[Any, Callable[[Any], Any]]]
ERRORS = (StorageError("disk full"), Conflict("another writer was first"))


class Impatient:
    """A time module whose sleep is short."""

    monotonic = staticmethod(time.monotonic)

    @staticmethod
    def sleep(_seconds: float) -> None:
        """Sleep for a millisecond."""
        time.sleep(0.001)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers pause for milliseconds after a storage error."""
    monkeypatch.setattr("redrive.processes.worker.time", Impatient)


def failed(jobs: Jobs, error: Exception) -> list[Pending[Any]]:
    """What the ledger answers when nothing of a commit could be stored."""
    outcomes = [Pending(caller, command) for caller, command in jobs]
    for outcome in outcomes:
        outcome.settle(None, error)
        outcome.release()
    return outcomes


class Faulty:
    """A ledger's ``transact_together`` that fails on the calls that *fails* names."""

    def __init__(self, shop: Shop, fails: Callable[[int], bool], error: Exception = ERRORS[0]) -> None:
        self._together = shop.engine.ledger.transact_together
        self._fails, self._error = fails, error
        self.calls = self.failures = 0

    def __call__(self, jobs: Jobs) -> Sequence[Pending[Any]]:
        self.calls += 1
        if self._fails(self.calls):
            self.failures += 1
            return failed(jobs, self._error)
        return self._together(jobs)


@pytest.mark.parametrize("error", ERRORS)
def test_nothing_is_lost_when_commits_fail(shop: Shop, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Two of three fail: each node is executed once, reported once, and succeeds once."""
    runs = [shop.submit(chain("a", "b", "c")) for _ in range(3)]
    faulty = Faulty(shop, lambda call: call % 3 > 0, error)
    monkeypatch.setattr(shop.engine.ledger, "transact_together", faulty)
    calls: list[tuple[str, str]] = []
    with logged() as lines:
        work(shop, dict.fromkeys("abc", lambda attempt: calls.append((attempt.run_id, attempt.node))))
    assert {shop.run_status(run) for run in runs} == {"completed"}
    assert sorted(calls) == sorted(set(calls))
    assert (len(calls), faulty.failures > 3) == (9, True)
    assert "worker.storage" in {line["event"] for line in lines}


@pytest.mark.parametrize("broken", range(6))
def test_nothing_is_lost_when_one_command_of_a_turn_fails(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, broken: int
) -> None:
    """What the others of the same turn did is in the log, and is executed; the one is tried again."""
    runs = [shop.submit(beside("a", "b")) for _ in range(3)]
    together = shop.engine.ledger.transact_together
    calls = [0]

    def partly(jobs: Jobs) -> list[Pending[Any]]:
        calls[0] += 1
        if calls[0] % 2 == 0 or len(jobs) <= broken:
            return list(together(jobs))
        done = together([*jobs[:broken], *jobs[broken + 1 :]])
        return [*done[:broken], *failed([jobs[broken]], ERRORS[0]), *done[broken:]]

    monkeypatch.setattr(shop.engine.ledger, "transact_together", partly)
    work(shop, {"a": lambda attempt: 1, "b": lambda attempt: 2}, concurrency=3)
    assert {shop.run_status(run) for run in runs} == {"completed"}
    assert len(shop.facts(e.AttemptStarted)) == 6


@pytest.mark.parametrize("query", ["next_work_ms", "live_claims", "due", "holders"])
def test_a_read_that_fails_is_survived(shop: Shop, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    """As a write is: readers of a database fail, too."""
    run = shop.submit(beside("a", retry=policy(delay_ms=50)))
    real, count = getattr(shop.engine.ledger, query), [0]

    def failing(*arguments: Any) -> Any:
        count[0] += 1
        if count[0] < 4:
            raise StorageError("cannot read")
        return real(*arguments)

    monkeypatch.setattr(shop.engine.ledger, query, failing)
    with working(shop, {"a": retried_once(shop)}):
        until(lambda: shop.run_status(run) == "completed")


def retried_once(shop: Shop) -> Callable[[Attempt], int]:
    """A handler that needs two attempts, and lets the backoff end."""

    def handler(attempt: Attempt) -> int:
        shop.now += 50
        if attempt.number == 1:
            raise Retry("busy", 0)
        return 1

    return handler


def test_a_stop_during_an_outage_ends_the_worker(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to report: it does not wait for the storage."""
    shop.submit(chain("a", "x"))
    worker = worker_of(shop, {"a": lambda attempt: 1})
    monkeypatch.setattr(shop.engine.ledger, "transact_together", Faulty(shop, lambda call: call > 3))
    with running(worker.run):
        until(lambda: shop.facts(e.AttemptSucceeded))
        worker.stop()


@pytest.mark.parametrize("error", ERRORS)
def test_an_abort_during_an_outage_ends_the_worker(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Though an outcome is unreported: who says twice that it shall end is not left with `kill -9`."""
    faulty = Faulty(shop, lambda call: call > 1, error)
    monkeypatch.setattr(shop.engine.ledger, "transact_together", faulty)
    run = shop.submit()
    worker = worker_of(shop, {"a": lambda _attempt: 1})
    with running(lambda: ending_with(type(error), worker.run)) as thread:
        until(lambda: faulty.failures)
        worker.stop()
        worker.stop()
        assert thread.is_alive()
        worker.abort()
        thread.join(30)
    assert shop.run_status(run) == "running"


def ending_with(error: type[Exception], work: Callable[[], None]) -> None:
    """Work until it ends with *error*."""
    with pytest.raises(error):
        work()


def test_a_refused_report_ends_that_claim_and_no_other(shop: Shop) -> None:
    """The run was cancelled meanwhile; the other goes on."""
    run, other = shop.submit(), shop.submit(chain("b", "c"))

    def cancelled(attempt: Attempt) -> int:
        shop.acme.cancel(attempt.run_id, actor="ana", reason="x")
        return 1

    with logged() as lines:
        work(shop, {"a": cancelled, "b": lambda attempt: 1, "c": lambda attempt: 1})
    assert (shop.run_status(run), shop.run_status(other)) == ("cancelled", "completed")
    assert {line["event"] for line in lines} & {"attempt.report_refused", "worker.claim_lost"}
