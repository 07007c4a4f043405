"""A log with something in it: a ledger, and hands that do at random what workers and operators do."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from redrive.domain.classifier import Classifier
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.errors import Refused
from redrive.domain.failure import Failure
from redrive.domain.flow import Flow, Node
from redrive.domain.identity import DeadLetterId, RunId, Tenant, dead_letter_id_of, human
from redrive.domain.ports import Caller, Transaction
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.retry_policy import Backoff, Mode, RetryPolicy, Strategy, TerminalBehavior
from redrive.domain.run.state import Run
from redrive.ledger.ledger import LogLedger
from redrive.processes import intake, leases, operations, reports, sweep
from redrive.processes.claimant import Claimant
from redrive.processes.handout import Attempt, Claim
from redrive.projections.fold import TABLES
from redrive.projections.view import View

T = TypeVar("T")
ACME, GLOBEX = Tenant("acme", "billing", "prod"), Tenant("globex", "billing", "prod")
CLASSIFIER = Classifier()
FAILURES = (
    Failure("execution_error", "it broke"),
    Failure("provider_transient", "no answer after 90 s", kind="timeout"),
    Failure("provider_auth", "wrong key"),
)


def default_policy_of(_run: Run) -> RedrivePolicy:
    """The redrive policy where the host configured none."""
    return RedrivePolicy()


def policy(attempts: int = 2, mode: str = "fail_run", delay_ms: int = 10) -> RetryPolicy:
    """A retry policy with a fixed backoff; none, when *delay_ms* is 0."""
    backoff = Backoff(strategy=Strategy.FIXED, initial_delay_ms=delay_ms) if delay_ms else Backoff()
    return RetryPolicy(max_attempts=attempts, backoff=backoff, terminal_behavior=TerminalBehavior(mode=Mode(mode)))


class Plant:
    """A ledger with a clock in its hands. *tenant* is who acts unless told otherwise."""

    def __init__(self, path: Path, seed: int = 0) -> None:
        self.now = 1_000
        self.dice = random.Random(seed)
        self.ledger = LogLedger(str(path), clock=lambda: self.now, dice=self.dice.random, engine="test", durable=False)
        self.runs: list[tuple[Tenant, RunId]] = []
        self.letters: list[tuple[Tenant, DeadLetterId]] = []
        self.attempts: list[tuple[Tenant, Attempt]] = []
        self.claims: list[Claim] = []

    def do(self, command: Callable[[Transaction], T], tenant: Tenant | None = ACME, reason: str | None = None) -> T:
        """Run a command."""
        caller = Caller(tenant) if reason is None else Caller(tenant, human("ana"), reason)
        return self.ledger.transact(caller, command)

    def submit(self, flow: Flow, automation: str = "nightly", key: str | None = None, tenant: Tenant = ACME) -> RunId:
        """Submit a run."""
        run = self.do(intake.submission(tenant, flow, automation, key, None), tenant)
        self.runs.append((tenant, run))
        return run

    def claim(self, most: int = 1) -> list[Attempt]:
        """Claim runs and start what can start."""
        claims = self.do(leases.claiming(Claimant("w", lease_ms=60_000), most, None), None)
        self.claims += claims
        return self._keep([attempt for claim in claims for attempt in claim.attempts])

    def start(self, claim: Claim) -> list[Attempt]:
        """Start what has become ready in a claimed run."""
        return self._keep(self.do(leases.starting_all(claim), claim.tenant))

    def _keep(self, found: list[Attempt]) -> list[Attempt]:
        self.attempts += [(attempt.tenant, attempt) for attempt in found]
        return found

    def fail(self, attempt: Attempt, failure: Failure = FAILURES[0]) -> DeadLetterId:
        """Report a failure; the id that the node's dead letter has, or would have."""
        self.do(reports.failing(attempt.id, failure, default_policy_of, CLASSIFIER), attempt.tenant)
        return dead_letter_id_of(attempt.tenant, attempt.run_id, attempt.node)

    def dead_letter(self, reason: str = "it broke", automation: str = "nightly", tenant: Tenant = ACME) -> DeadLetterId:
        """A run of one node that fails for good at once."""
        self.submit(Flow([Node("a", retry=policy(1))]), automation, None, tenant)
        return self.fail(self.claim()[0], Failure("execution_error", reason))

    def succeed(self, attempt: Attempt) -> None:
        """Report a success."""
        self.do(reports.completing(attempt.id, {"ok": True}, default_policy_of), attempt.tenant)

    def sweep(self) -> None:
        """Let the sweep pass."""
        sweep.sweep(self.ledger, None, default_policy_of, "test")

    def live(self, steps: int) -> None:
        """Do *steps* things at random."""
        acts: list[Callable[[], object]] = [self._submit, self._claim, self._report, self._report, self._operate]
        acts += [self._report, self._claim, self._start, self._start, self.sweep, self._letter, self._wait]
        for _ in range(steps):
            try:
                self.dice.choice(acts)()
            except Refused:
                self.now += 1

    def _wait(self) -> None:
        self.now += self.dice.choice((1, 20, 3_000, 70_000))
        for row in self.ledger.due("lease", None, 10):
            self.do(leases.reclaiming(row.run, default_policy_of), None)

    def _claim(self) -> None:
        self.claim(self.dice.randint(1, 3))

    def _start(self) -> None:
        if self.claims:
            self.start(self.dice.choice(self.claims))

    def _submit(self) -> None:
        names = [f"n{i}" for i in range(self.dice.randint(1, 5))]
        retry = policy(self.dice.randint(1, 2), self.dice.choice(list(Mode)), self.dice.choice((0, 15)))
        nodes = [
            Node(name, after=self.dice.sample(names[:i], self.dice.randint(0, min(i, 2))), retry=retry)
            for i, name in enumerate(names)
        ]
        tenant = self.dice.choice((ACME, GLOBEX))
        self.submit(Flow(nodes), self.dice.choice(("nightly", "hourly")), str(len(self.runs)), tenant)

    def _report(self) -> None:
        if not self.attempts:
            return
        tenant, attempt = self.attempts.pop(self.dice.randrange(len(self.attempts)))
        match self.dice.randrange(6):
            case 0:
                self.do(reports.snoozing(attempt.id, 30), tenant)
            case 1 | 2:
                self.letters.append((tenant, self.fail(attempt, self.dice.choice(FAILURES))))
            case _:
                self.succeed(attempt)

    def _operate(self) -> None:
        if not self.runs:
            return
        tenant, run = self.dice.choice(self.runs)
        commands = (
            operations.pausing(run),
            operations.resuming(run),
            operations.resuming(run),
            operations.recovering(run, None),
            operations.noting_run(run, "look at the proxy"),
            operations.cancelling(run, default_policy_of),
        )
        self.do(self.dice.choice(commands), tenant, "so be it")

    def _letter(self) -> None:
        known = {dl for _, run in self.runs for dl in self.run(run).dead_letters.values()}
        chosen = [(tenant, id_) for tenant, id_ in self.letters if id_ in known]
        if not chosen:
            return
        tenant, id_ = self.dice.choice(chosen)
        commands = (
            operations.requesting_retry(id_, default_policy_of, None),
            operations.requesting_retry(id_, default_policy_of, None),
            operations.granting_retries(id_, 1, None),
            operations.ignoring(id_, None),
            operations.abandoning(id_, None),
            operations.resolving(id_, None),
            operations.reopening(id_, None),
            operations.noting_letter(id_, "ask the provider", None),
        )
        self.do(self.dice.choice(commands), tenant, "rotated the credentials")

    def run(self, id_: RunId) -> Run:
        """A run as its aggregate has it."""
        return self.do(lambda tx: tx.run(id_), None)

    def letter(self, id_: DeadLetterId) -> DeadLetter:
        """A dead letter as its aggregate has it."""
        return self.do(lambda tx: tx.dead_letter(id_), None)


def contents(view: View) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, and what the full-text index finds."""
    view.catch_up()
    found = {table.name: view.rows(f"SELECT * FROM {table.name} ORDER BY {', '.join(table.key)}") for table in TABLES}
    words = ("broke*", "90", "look", "rotated", "nightly*", "n3")
    query = "SELECT rowid FROM texts_fts WHERE texts_fts MATCH ? ORDER BY rowid"
    return {**found, **{f"texts about {word}": view.rows(query, [word]) for word in words}}
