"""An engine with a clock and dice of its own, and short words for what tests do to it."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import structlog
from structlog.testing import capture_logs

import redrive
from redrive import (
    Attempt,
    Claim,
    DeadLetterId,
    Failure,
    Flow,
    Recorded,
    RunId,
    Tenant,
    TenantEngine,
    Worker,
)
from redrive.domain.event import Event
from redrive.processes.handlers import Handler
from tests.domain import facts
from tests.engine.model import check_log, check_views
from tests.stores import log_url

E = TypeVar("E", bound=Event)
T = TypeVar("T")
ACME = Tenant("acme", "billing", "prod")
BROKEN = Failure("execution_error", "it broke")
FINAL = Failure("execution_error", "it broke for good", final=True)
TIMEOUT = Failure("provider_transient", "no answer", kind="timeout")
ANA: dict[str, Any] = {"actor": "ana", "reason": "rotated the key"}
MODES = ("fail_run", "pause_for_review", "dead_letter")
PATIENCE_S = 60.0  # only what never comes takes so long, however busy the machine is


policy, beside, chain = facts.policy, facts.side_by_side, facts.line
ONE = beside("a")


class Shop:
    """An engine on *path*, its clock at ``now``, and what one does to it as one tenant."""

    of_other_code = False  # the log holds decisions that today's rules would not make
    batch = 1  # what its workers take in hand in one commit

    def __init__(self, path: Path, **options: Any) -> None:
        self.now = 1_000_000
        self.path, self.options = path, options
        self.engine = self._open()

    def _open(self) -> redrive.Engine:
        url = log_url(self.path)
        return redrive.open(url, clock=lambda: self.now, dice=lambda: 0.0, **self.options)

    @property
    def acme(self) -> TenantEngine:
        """The tenant's view of the engine."""
        return self.engine.for_tenant(ACME)

    def reopen(self) -> None:
        """What a restart does: everything is read from the log again."""
        self.engine.close()
        self.engine = self._open()

    def submit(self, flow: Flow = ONE, *, automation: str = "nightly", **more: Any) -> RunId:
        """Submit a run."""
        return self.acme.submit(flow, automation=automation, **more)

    def claim(self, **more: Any) -> Claim:
        """Claim the next run and start what can start."""
        claim = self.acme.claim(worker="w", start=True, **more)
        assert claim is not None
        return claim

    def begin(self, flow: Flow = ONE, **more: Any) -> Claim:
        """Submit a run, claim it and start what can start."""
        self.submit(flow, **more)
        return self.claim()

    def attempt(self, flow: Flow = ONE) -> Attempt:
        """The one attempt of a new run."""
        return self.begin(flow).attempts[0]

    def fail(self, *attempts: Attempt, failure: Failure = FINAL) -> None:
        """Report failures."""
        for attempt in attempts:
            self.acme.fail_attempt(attempt, failure)

    def letter(self, flow: Flow = ONE, **more: Any) -> DeadLetterId:
        """A run whose nodes that can start have failed for good; the dead letter of the first."""
        claim = self.begin(flow, **more)
        self.fail(*claim.attempts)
        return self.letter_of(claim.run_id, claim.attempts[0].node)

    def letter_of(self, run: RunId, node: str = "a") -> DeadLetterId:
        """The dead letter of a node."""
        found = next(detail.dead_letter for detail in self.acme.show(run).nodes if detail.node == node)
        assert found is not None
        return DeadLetterId(found)

    def fail_again(self, failure: Failure = FINAL) -> None:
        """Claim the next run and let all that starts fail for good."""
        self.fail(*self.claim().attempts, failure=failure)

    def status(self, id_: str) -> str:
        """Where a dead letter stands."""
        return self.acme.dead_letter(DeadLetterId(id_)).status

    def run_status(self, run: str) -> str:
        """Where a run stands, by the log."""
        return self.acme.show(RunId(run)).status

    def node(self, run: str, node: str = "a") -> redrive.NodeDetail:
        """A node of a run, by the log."""
        return next(detail for detail in self.acme.show(RunId(run)).nodes if detail.node == node)

    def log(self) -> list[Recorded]:
        """Every event."""
        return self.engine.ledger.read(0, 1_000_000)

    def facts(self, kind: type[E]) -> list[E]:
        """The events of a kind, in log order."""
        return [event.event for event in self.log() if isinstance(event.event, kind)]

    def topics(self, stream: str) -> list[str]:
        """What happened to a stream, by the last word of each topic."""
        return [event.topic.partition(".")[2] for event in self.engine.ledger.stream(stream)]

    def check(self) -> None:
        """The oracles of the state machine."""
        check_log(self.engine, of_other_code=self.of_other_code)
        check_views(self.engine)


class BatchShop(Shop):
    """A shop whose workers take more in hand than they run at a time."""

    batch = 16


@contextmanager
def logged() -> Iterator[list[Any]]:
    """The structured log lines of the block."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    with capture_logs() as lines:
        yield lines


def nothing_written(shop: Shop, error: type[Exception], command: Callable[[], object]) -> Exception:
    """The refusal of *command*, which left no event."""
    before = shop.engine.ledger.last_position()
    try:
        command()
    except error as refused:
        assert shop.engine.ledger.last_position() == before
        return refused
    raise AssertionError("it was not refused")


def until(fact: Callable[[], T], seconds: float = PATIENCE_S) -> T:
    """Wait until *fact* is true, and return it."""
    end = time.monotonic() + seconds
    while not (found := fact()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)
    return found


def told_when_a_worker_waits(patch: pytest.MonkeyPatch, *, busy: bool = False) -> threading.Event:
    """Set once a worker has looked at everything, and waits until somebody calls: with attempts that run, or idle."""
    waits, wait = threading.Event(), Worker._wait

    def noted(worker: Worker, seconds: float) -> Any:
        if bool(worker._turns.running()) == busy:
            waits.set()
        return wait(worker, seconds)

    patch.setattr(Worker, "_wait", noted)
    return waits


def worker_of(shop: Shop, handlers: Mapping[str, Handler], **options: Any) -> Worker:
    """A worker that looks often."""
    return Worker(shop.engine, handlers, **{"poll_ms": 20, "tick_ms": 20, "batch": shop.batch, **options})


def work(shop: Shop, handlers: Mapping[str, Handler], **options: Any) -> None:
    """Work until nothing is due; it ends within a time that only a hung worker needs."""
    worker = worker_of(shop, handlers, **options)
    with running(lambda: worker.run_until_idle(wait=False)) as thread:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the worker hangs"


@contextmanager
def working(shop: Shop, handlers: Mapping[str, Handler], **options: Any) -> Iterator[Worker]:
    """A worker in a thread; it stops gracefully at the end."""
    worker = worker_of(shop, handlers, **options)
    with running(worker.run):
        yield worker
        worker.stop()


@contextmanager
def running(target: Callable[[], None]) -> Iterator[threading.Thread]:
    """A thread that has ended, without an error, when the block is left."""
    errors: list[BaseException] = []

    def call() -> None:
        try:
            target()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    yield thread
    thread.join(PATIENCE_S)
    assert not errors, errors
    assert not thread.is_alive(), "it never ended"
