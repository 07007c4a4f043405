"""Workers that take a batch in hand: what waits, what does not, and that nothing is lost by it."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from redrive import Flow, InvalidValue, Limit, Node, RunId, Worker
from redrive.domain.run import events as e
from redrive.processes.handlers import Handler
from tests.processes.test_worker_control import Gate, begun
from tests.processes.workshop import ANA, Shop, beside, chain, policy, running, until, work, worker_of, working

THREE = policy(3)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that is open at the end."""
    gate = Gate()
    yield gate
    gate.open.set()


def one(**node: Any) -> Flow:
    """One node that may be tried three times."""
    return Flow([Node("a", **{"retry": THREE, **node})])


def submit(shop: Shop, count: int, flow: Flow | None = None) -> list[RunId]:
    """So many runs, the oldest first."""
    return [shop.submit(flow or one()) for _ in range(count)]


def started(shop: Shop) -> int:
    """How many attempts there were."""
    return len(shop.facts(e.AttemptStarted))


def before_the_first_outcome(shop: Shop) -> int:
    """How many attempts were started before any had ended."""
    topics = [event.topic for event in shop.log()]
    return topics[: topics.index("run.attempt-succeeded")].count("run.attempt-started")


@pytest.mark.parametrize(("concurrency", "batch", "first"), [(1, 1, 1), (2, 1, 2), (1, 5, 5), (4, 3, 4), (3, 40, 30)])
def test_so_many_are_taken_in_hand(shop: Shop, concurrency: int, batch: int, first: int) -> None:
    """As many as run at a time, or a whole batch; all of them are executed, once."""
    submit(shop, 30)
    work(shop, {"a": lambda attempt: 1}, concurrency=concurrency, batch=batch)
    assert before_the_first_outcome(shop) == first
    assert (started(shop), len(shop.facts(e.AttemptSucceeded))) == (30, 30)


def test_an_outcome_and_the_next_claim_are_one_commit(shop: Shop) -> None:
    """Also without a batch: ten runs one after the other are eleven commits."""
    submit(shop, 10)
    commits = shop.engine.ledger.committer.commits
    work(shop, {"a": lambda attempt: 1}, concurrency=1)
    assert shop.engine.ledger.committer.commits == commits + 11


NOT_AHEAD: dict[str, tuple[dict[str, Any], Limit | None]] = {
    "its time runs": ({"timeout_ms": 60_000}, None),
    "its retries end": ({"retry": policy(3, max_elapsed_ms=60_000)}, None),
    "its last attempt": ({"retry": policy(1)}, None),
    "a resource": ({"resource": "db"}, Limit("resource", "db", concurrency=9)),
    "a provider": ({"provider": "p"}, Limit("provider", "p", concurrency=9)),
    "a tenant": ({}, Limit("tenant", "acme/billing/prod", concurrency=9)),
    "all runs": ({}, Limit("total", "", concurrency=9)),
}
AHEAD: dict[str, tuple[dict[str, Any], Limit | None]] = {
    "nothing": ({}, None),
    "another's limit": ({"resource": "other"}, Limit("resource", "db", concurrency=9)),
}


@pytest.mark.parametrize("case", [*NOT_AHEAD, *AHEAD])
def test_what_would_lose_by_waiting_is_not_started_ahead(shop: Shop, gate: Gate, case: str) -> None:
    """It is started when there is room for it; in the end all are executed."""
    node, limit = {**NOT_AHEAD, **AHEAD}[case]
    if limit is not None:
        shop.engine.set_limit(limit, **ANA)
    runs = submit(shop, 4, one(**node))
    with working(shop, {"a": gate}, concurrency=2, batch=16):
        begun(gate, 2)
        until(lambda: started(shop) == (2 if case in NOT_AHEAD else 4))
        assert len(gate.begun) == 2
        gate.open.set()
        until(lambda: {shop.run_status(run) for run in runs} == {"completed"})


def test_nobody_is_let_past_one_that_may_not_wait(shop: Shop, gate: Gate) -> None:
    """Oldest first, also where a younger one could have waited in hand."""
    submit(shop, 1)
    timed, young = shop.submit(one(timeout_ms=60_000)), shop.submit(one())
    with working(shop, {"a": gate}, concurrency=1, batch=16):
        begun(gate)
        assert shop.topics(timed) == shop.topics(young) == ["submitted"]
        gate.open.set()
        until(lambda: shop.run_status(young) == "completed")
    assert [attempt.run_id for attempt in gate.begun][1:] == [timed, young]


def test_a_run_whose_nodes_are_partly_in_hand(shop: Shop) -> None:
    """The others follow when there is room; each is executed once."""
    run = shop.submit(Flow([Node(id_, timeout_ms=60_000 if id_ in "bd" else None, retry=THREE) for id_ in "abcde"]))
    calls: list[str] = []
    work(shop, dict.fromkeys("abcde", lambda attempt: calls.append(attempt.node)), concurrency=1, batch=3)
    assert (shop.run_status(run), sorted(calls)) == ("completed", list("abcde"))


# Stop, cancel, pause, leases


@pytest.mark.parametrize("end", ["stop", "abort"])
def test_what_had_not_begun_is_given_back_unused(shop: Shop, gate: Gate, end: str) -> None:
    """Its handler is never called, its attempt has the same number, and it is due at once."""
    first, *others = submit(shop, 5)
    worker = worker_of(shop, {"a": gate}, concurrency=1, batch=16)
    with running(worker.run):
        begun(gate)
        until(lambda: started(shop) == 5)
        getattr(worker, end)()
        until(lambda: {shop.run_status(run) for run in others} == {"queued"})
        gate.open.set()
    assert (shop.run_status(first), len(gate.begun)) == ("completed", 1)
    work(shop, {"a": lambda attempt: attempt.number})
    assert [shop.node(run).output for run in others] == [1] * 4


def test_a_cancelled_run_never_begins(shop: Shop, gate: Gate) -> None:
    """Its handler is not called; the others are."""
    runs = submit(shop, 3)
    with working(shop, {"a": gate}, concurrency=1, batch=16):
        begun(gate)
        until(lambda: started(shop) == 3)
        shop.acme.cancel(runs[1], **ANA)
        gate.open.set()
        until(lambda: shop.run_status(runs[2]) == "completed")
    assert [attempt.run_id for attempt in gate.begun] in ([runs[0], runs[2]], runs)  # it may have begun before


def test_a_paused_run_ends_what_is_in_hand(shop: Shop, gate: Gate) -> None:
    """As one that runs: it was started before the pause. Nothing else of it starts."""
    run = submit(shop, 2, chain("a", "b", retry=THREE))[1]
    with working(shop, {"a": gate, "b": gate}, concurrency=1, batch=16):
        begun(gate)
        until(lambda: started(shop) == 2)
        shop.acme.pause(run, **ANA)
        gate.open.set()
        until(lambda: shop.run_status(run) == "paused")
    assert [node.status for node in shop.acme.show(run).nodes] == ["succeeded", "ready"]


def test_leases_are_kept_while_attempts_wait(shop: Shop, gate: Gate) -> None:
    """Of all that is in hand."""
    runs = submit(shop, 3)
    with working(shop, {"a": gate}, concurrency=1, batch=16, lease_ms=5_000):
        begun(gate)
        for count in range(1, 6):
            shop.now += 2_000
            until(lambda count=count: len(shop.facts(e.LeaseRenewed)) >= 3 * count)  # type: ignore[misc]
        gate.open.set()
        until(lambda: {shop.run_status(run) for run in runs} == {"completed"})
    assert not shop.facts(e.ClaimAbandoned)


def test_async_handlers_wait_too(shop: Shop) -> None:
    """No more of them run than are allowed; and as many as are allowed do run."""
    submit(shop, 20)
    count, most, full = [0], [0], asyncio.Event()

    async def handler(attempt: Any) -> None:
        count[0] += 1
        most[0] = max(most[0], count[0])
        if count[0] == 2:
            full.set()
        await full.wait()
        await asyncio.sleep(0.001)
        count[0] -= 1

    work(shop, {"a": handler}, concurrency=2, batch=16)
    assert (most[0], len(shop.facts(e.AttemptSucceeded))) == (2, 20)


class Lazy(Mapping[str, Handler]):
    """Handlers that are imported when they are asked for, in vain."""

    def __getitem__(self, name: str) -> Handler:
        raise ImportError("no such module")

    def __iter__(self) -> Iterator[str]:
        return iter("a")

    def __len__(self) -> int:
        return 1

    def __contains__(self, name: object) -> bool:
        return name == "a"


def test_handlers_that_cannot_be_had(shop: Shop) -> None:
    """However many, one after the other."""
    submit(shop, 400, beside("a", retry=policy(3, retryable_failure_classes=("provider_auth",))))
    work(shop, Lazy(), concurrency=1, batch=1_000)
    assert len(shop.facts(e.AttemptFailed)) == 400


@pytest.mark.parametrize("batch", [0, -1, 1_001, True, 1.5, "16"])
def test_a_bad_batch_is_refused(shop: Shop, batch: Any) -> None:
    """When the worker is made."""
    with pytest.raises(InvalidValue, match="batch"):
        Worker(shop.engine, {}, batch=batch)


def test_a_worker_with_more_places_than_a_claim_takes(shop: Shop) -> None:
    """A thousand at a time are claimed; more may run."""
    run = shop.submit()
    work(shop, {"a": lambda attempt: 1}, concurrency=1_024)
    assert shop.run_status(run) == "completed"
