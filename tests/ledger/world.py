"""A ledger with a clock and dice of its own, and short words for what tests do to it."""

import os
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any, TypeVar

from redrive.domain.classifier import Classifier
from redrive.domain.event import CATALOGUE, Event, Recorded
from redrive.domain.failure import Failure
from redrive.domain.flow import Flow, Node
from redrive.domain.identity import DeadLetterId, EventId, NodeId, RunId, StreamId, Tenant
from redrive.domain.ports import Caller
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.retry_policy import Backoff, Mode, RetryPolicy, Strategy, TerminalBehavior
from redrive.domain.run.events import NoteAdded
from redrive.domain.run.state import Run
from redrive.domain.values import JsonValue
from redrive.ledger.ledger import LogLedger
from redrive.ledger.mapper import LoggedEvent
from redrive.ledger.pending import Pending
from redrive.ledger.persistence import EventMapper
from redrive.ledger.transaction import LedgerTransaction
from redrive.processes import intake, leases, operations, reports
from redrive.processes.claimant import Claimant
from redrive.processes.handout import Attempt, Claim
from redrive.processes.sweep import SweepReport, sweep
from tests.stores import location_of, outside

T = TypeVar("T")
LOCAL = Tenant()
CLASSIFIER = Classifier()
ACME = Tenant("acme", "billing", "prod")
EVERYBODY = Caller(None)
BROKEN = Failure("execution_error", "it broke")
FINAL = Failure("execution_error", "it broke for good", final=True)
REDRIVE = RedrivePolicy(max_dispatches=2, base_delay_ms=10, max_delay_ms=40)


def policy_of(_run: Run) -> RedrivePolicy:
    """A redrive policy with short delays and a small budget."""
    return REDRIVE


def policy(attempts: int = 2, mode: str = "fail_run", delay_ms: int = 5) -> RetryPolicy:
    """A retry policy with a fixed backoff."""
    return RetryPolicy(
        max_attempts=attempts,
        backoff=Backoff(strategy=Strategy.FIXED, initial_delay_ms=delay_ms),
        terminal_behavior=TerminalBehavior(mode=Mode(mode)),
    )


ONE = Flow([Node("a", retry=policy())])
CHAIN = Flow([Node("a", retry=policy()), Node("b", after=["a"], retry=policy())])


def submission(key: str, flow: Flow = ONE, tenant: Tenant = LOCAL) -> Callable[[LedgerTransaction], RunId]:
    """A command that submits a run."""
    return intake.submission(tenant, flow, "nightly", key, None)


class World:
    """A ledger at *path*, its clock at ``now``, and what one does to it."""

    def __init__(self, path: Path | str, *, engine: str = "0.1.0", **options: Any) -> None:
        self.now = 1_000_000
        self.draw = 0.5
        self.path = str(path)
        self.ledger = LogLedger(
            location_of(self.path), clock=lambda: self.now, dice=lambda: self.draw, engine=engine, **options
        )

    def do(self, command: Callable[[LedgerTransaction], T], tenant: Tenant | None = None) -> T:
        """Run one command."""
        return self.ledger.transact(Caller(tenant), command)

    def together(self, *commands: Callable[[LedgerTransaction], T]) -> list[Pending[T]]:
        """Run commands in one commit."""
        return list(self.ledger.transact_together([(EVERYBODY, command) for command in commands]))

    def submit(self, key: str, flow: Flow = ONE, tenant: Tenant = LOCAL) -> RunId:
        """Submit a run."""
        return self.do(submission(key, flow, tenant))

    def claim(
        self, limit: int = 1, handlers: Container[str] | None = None, tenant: Tenant | None = None
    ) -> list[Claim]:
        """Claim due runs and start what can start."""
        return self.do(leases.claiming(Claimant("w", lease_ms=5_000, handlers=handlers), limit, None), tenant)

    def fail(self, attempt: Attempt, failure: Failure = FINAL) -> None:
        """Report a failure."""
        self.do(reports.failing(attempt.id, failure, policy_of, CLASSIFIER))

    def complete(self, attempt: Attempt, output: JsonValue = None) -> None:
        """Report a success."""
        self.do(reports.completing(attempt.id, output, policy_of))

    def dead_letter(self, key: str, flow: Flow = ONE) -> tuple[RunId, DeadLetterId]:
        """A run whose first node has failed for good, and its dead letter."""
        run = self.submit(key, flow)
        claim = self.do(leases.claiming(Claimant("w", run=run), 1, None))[0]
        self.fail(claim.attempts[0])
        return run, next(iter(self.ledger.run_state(None, run).dead_letters.values()))

    def stuck_letter(self, key: str = "stuck") -> DeadLetterId:
        """A dead letter that the sweep cannot dispatch: the parent of its node was reset, and failed as well."""
        run = self.submit(key, Flow([Node("a", retry=policy(1)), Node("b", after=["a"], retry=policy(1))]))
        claimant = Claimant("w", run=run)
        claim = self.do(leases.claiming(claimant, 1, None))[0]
        self.complete(claim.attempts[0])
        self.fail(self.do(leases.starting(claim, "b")))
        letter = self.in_memory(run).dead_letters[NodeId("b")]
        self.do(operations.recovering(run, ["a"]))
        self.fail(self.do(leases.claiming(claimant, 1, None))[0].attempts[0])
        self.retry(letter)
        return letter

    def retry(self, letter: DeadLetterId) -> None:
        """Ask for a retry of a dead letter."""
        self.do(operations.requesting_retry(letter, policy_of, None))

    def sweep(self, engine: str = "0.1.0") -> SweepReport:
        """Sweep once."""
        return sweep(self.ledger, None, policy_of, engine)

    def note(self, run: RunId, text: str = "seen") -> None:
        """Add a note to a run."""
        self.do(operations.noting_run(run, text))

    def log(self) -> list[Recorded]:
        """The whole log."""
        return self.ledger.read(0, 1_000_000)

    def check(self) -> None:
        """The agenda is what the log says, every stream is dense, and memory equals the log."""
        assert self.ledger.agenda_rows() == self.ledger.agenda_from_log()
        versions: dict[str, int] = {}
        for recorded in self.log():
            assert recorded.version == versions.get(recorded.stream, 0) + 1
            versions[recorded.stream] = recorded.version

    def in_memory(self, run: RunId) -> Run:
        """The run as commands see it."""
        return self.do(lambda tx: tx.run(run))


def outcome_of(pending: Pending[Any]) -> object:
    """What became of a command: its value, or its error."""
    try:
        return pending.result()
    except Exception as error:  # noqa: BLE001
        return error


def recorded(stream: str, version: int, event: Event | None = None, **more: Any) -> Recorded:
    """An event with an envelope."""
    values: dict[str, Any] = {"tenant": LOCAL, "correlation": stream, "event_id": EventId(os.urandom(12).hex())}
    body = NoteAdded(text="seen") if event is None else event
    return Recorded(StreamId(stream), version, body, occurred_at_ms=1, **{**values, **more})


def stored(stream: str, version: int, event: Event | None = None) -> LoggedEvent:
    """The row of an event."""
    return EventMapper.__new__(EventMapper).to_stored_event(recorded(stream, version, event))


def put_raw(path: str, stream: str, topic: str, state: bytes, tenant: Tenant = LOCAL, at_ms: int = 1) -> None:
    """Append a row as another version of redrive, or another program, would."""
    with outside(path) as connection:
        query = "SELECT coalesce(max(originator_version), 0) FROM events WHERE originator_id = ?"
        version = connection.execute(query, (stream,)).fetchone()[0] + 1
        connection.execute(
            "INSERT INTO events SELECT coalesce(max(position), 0) + 1, ?, ?, ?, ?, ?, ?, ? FROM events",
            (stream, version, topic, state, str(tenant), stream, at_ms),
        )


def agenda_row(path: str, subject: str, kind: str = "run", due_ms: int = 1) -> None:
    """Put a row on the agenda as another version of redrive would."""
    with outside(path) as connection:
        row = (subject, kind, due_ms, 0, str(LOCAL), '["a"]', subject, 0, None)
        connection.execute("DELETE FROM agenda WHERE subject = ? AND needs = ?", (subject, row[5]))
        connection.execute("INSERT INTO agenda VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def catalogue() -> dict[str, type[Event]]:
    """The events that redrive defines, without those of tests."""
    return {key: cls for key, cls in CATALOGUE.items() if cls.__module__.startswith("redrive.")}


def open_files(path: Path | str) -> int:
    """How many files of a log this process has open."""
    return sum(str(link.resolve()).startswith(str(Path(path).resolve())) for link in Path("/proc/self/fd").iterdir())
