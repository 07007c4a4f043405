"""Commands and queries of one tenant: each command is one transaction, and says so in the log."""

from collections.abc import Callable, Container, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from redrive.domain.failure import Failure
from redrive.domain.flow import Flow
from redrive.domain.identity import DeadLetterId, RunId, human
from redrive.domain.ports import Caller, Transaction
from redrive.domain.retry_policy import RetryDecision
from redrive.domain.run.claims import DEFAULT_LEASE_MS
from redrive.domain.run.state import Status
from redrive.ledger.ledger import collecting, refuse_in_batch
from redrive.processes import operations
from redrive.processes.claimant import Claimant
from redrive.processes.handlers import failure_raised
from redrive.processes.handout import Attempt, Claim, Lease, Progress, attempt_given, claim_given
from redrive.processes.intake import submission
from redrive.processes.leases import claiming, releasing, renewing, starting, starting_all
from redrive.processes.letters import LetterStanding
from redrive.processes.reports import completing, failing, snoozing
from redrive.processes.resume_plan import ResumePlan, planning
from redrive.processes.sweep import SWEEPER, SweepReport, redriving_letter, sweep, tell_swept
from redrive.processes.ticker import TickReport, tick
from redrive.tenant_effects import Actor, TenantEffects

if TYPE_CHECKING:
    from redrive.forensics.causes.blast import Blast
    from redrive.forensics.causes.why import Why
    from redrive.forensics.past import TenantPast
    from redrive.forensics.positions import Asked
    from redrive.forensics.timelines.timeline import Timeline


class TenantEngine(TenantEffects):
    """The engine, for one tenant. *actor* is who acts: a name, or a Principal that the host authenticated.

    Every command raises InvalidValue for what it cannot accept, NotFound for what this tenant does not have,
    StreamReadOnly when a newer version has written to what it would continue, PayloadLocked when that is encrypted
    with a key that is not here, PayloadDestroyed when it would have work done with a payload whose key is gone, and
    WrongShard for the first write of a tenant to one of several logs that were not all opened.
    """

    def __reduce__(self) -> NoReturn:
        self.engine.__reduce__()

    def submit(
        self,
        flow: Flow,
        *,
        automation: str,
        key: str | None = None,
        input: Any = None,  # noqa: A002  (the word of the field)
        actor: Actor | None = None,
        subject: str | None = None,
    ) -> RunId:
        """Submit a run of *flow*; the same *key* of the same *automation* gives the same run. *subject*: whom its
        payloads are about, in a log with ``Privacy``; they are encrypted with the subject's key.

        Raises InvalidValue; KeyReused when the key came with another flow or input, PayloadDestroyed when that cannot
        be told any more.
        """
        if subject is not None:
            self.engine._require_privacy(subject)
        return self._do(submission(self.tenant, flow, automation, key, input), actor, subject=subject)

    def claim(
        self,
        *,
        worker: str,
        lease_ms: int = DEFAULT_LEASE_MS,
        handlers: Container[str] | None = None,
        start: bool = False,
    ) -> Claim | None:
        """Claim the due run that has waited longest, or None. With *start* its ready nodes start in the same commit;
        *handlers* limits the claim to runs that these can go on with. *lease_ms*: 5,000 to 21,600,000."""
        command = claiming(self._claimant(worker, lease_ms, handlers), 1, None if start else 0)

        def claim(tx: Transaction) -> Claim | None:
            return next(iter(command(tx)), None)

        return self._as_worker(worker, claim)

    def claim_many(
        self,
        n: int,
        *,
        worker: str,
        lease_ms: int = DEFAULT_LEASE_MS,
        handlers: Container[str] | None = None,
        start: bool = False,
    ) -> list[Claim]:
        """Claim up to *n* (at most 1,000) due runs in one commit, the oldest first. Where several processes claim
        from a log on PostgreSQL, it is the oldest sixteenth, and others near the head of the line."""
        claimant = self._claimant(worker, lease_ms, handlers)
        return self._as_worker(worker, claiming(claimant, n, None if start else 0))

    def start_attempt(self, claim: Claim, node: str) -> Attempt:
        """Start a try of *node*. Raises NotRunning, StaleEpoch, NodeNotReady, LimitReached."""
        return self._as_worker(claim_given(claim).worker, starting(claim, node))

    def start_attempts(self, claim: Claim) -> list[Attempt]:
        """Start every node that can start now, in one commit. Raises NotRunning, StaleEpoch."""
        return self._as_worker(claim_given(claim).worker, starting_all(claim))

    def complete_attempt(self, attempt: Attempt, output: Any = None) -> Progress:
        """Report a success. The identical report again is a no-op.

        Raises InvalidValue, NotRunning, StaleEpoch, StaleAttempt.
        """
        return self._as_worker(attempt_given(attempt).worker, completing(attempt.id, output, self.services.policy_of))

    def fail_attempt(self, attempt: Attempt, failure: Failure | BaseException) -> RetryDecision:
        """Report a failure (an exception is classified) and get the policy's decision with all its inputs.

        The identical report again returns the same decision. Raises NotRunning, StaleEpoch, StaleAttempt.
        """
        recorded = self.services.failure(failure_raised(failure))
        known = self.services.classifier
        return self._as_worker(
            attempt_given(attempt).worker, failing(attempt.id, recorded, self.services.policy_of, known)
        )

    def snooze_attempt(self, attempt: Attempt, delay_ms: int) -> Progress:
        """End a try without an outcome; it is due again after *delay_ms* with the same number.

        Raises NotRunning, StaleEpoch, StaleAttempt; OutcomePending while an effect of it has none.
        """
        return self._as_worker(attempt_given(attempt).worker, snoozing(attempt.id, delay_ms))

    def heartbeat(self, claim: Claim, lease_ms: int | None = None) -> Lease:
        """Renew the lease, and learn whether the run was cancelled or is to pause. Raises NotRunning, StaleEpoch."""
        return self._as_worker(claim_given(claim).worker, renewing(claim, lease_ms))

    def release(self, claim: Claim) -> Status:
        """Give the run back. Raises NotRunning, StaleEpoch, AttemptsRunning."""
        return self._as_worker(claim_given(claim).worker, releasing(claim, no_handler=False))

    def pause(self, run_id: RunId, *, actor: Actor, reason: str) -> Status:
        """Let nothing new start; running attempts finish. Raises NotAllowed when it is completed or cancelled."""
        return self._operate(operations.pausing(run_id), actor, reason)

    def resume(self, run_id: RunId, *, actor: Actor, reason: str) -> Status:
        """Lift the pause; a backoff still holds. Raises NotAllowed when none was requested."""
        return self._operate(operations.resuming(run_id), actor, reason)

    def cancel(self, run_id: RunId, *, actor: Actor, reason: str) -> Status:
        """End the run for good. Raises NotAllowed when it is completed or cancelled."""
        return self._operate(operations.cancelling(run_id, self.services.policy_of), actor, reason)

    def recover(self, run_id: RunId, *, actor: Actor, reason: str, nodes: Sequence[str] | None = None) -> Status:
        """Requeue a failed or blocked run from its failed nodes, or from *nodes*, with all their dependants. Raises
        NotAllowed for any other run, and when nothing could start."""
        return self._operate(operations.recovering(run_id, nodes), actor, reason)

    def approve(self, run_id: RunId, node: str, *, actor: Actor, reason: str) -> Status:
        """Say yes to a pending approval: its node succeeds with the output ``{"approved_by": "human:ana"}``. Raises
        NotAllowed when none is pending (any more), InvalidValue for a node that the flow does not have."""
        return self._operate(operations.approving(run_id, node), actor, reason)

    def deny(self, run_id: RunId, node: str, *, actor: Actor, reason: str) -> Status:
        """Say no to a pending approval: its node fails for good, class approval_denied, without a dead letter. Raises
        NotAllowed when none is pending (any more), InvalidValue for a node that the flow does not have."""
        return self._operate(operations.denying(run_id, node), actor, reason)

    def note(self, run_id: RunId, text: str, *, actor: Actor) -> Status:
        """Write something down about a run."""
        return self._do(operations.noting_run(run_id, self.services.note(text)), human(actor))

    def annotate(self, key: str, text: str, *, actor: Actor, reason: str) -> None:
        """Write something down about a run, a dead letter, an effect, a compensation, or an event (``pos:N``, or its
        id): it is shown in histories and timelines, and nothing is decided by it. Raises NotFound."""
        from redrive.forensics.questions import noting

        self._operate(noting(self.engine, self.tenant, key, self.services.note(text)), actor, reason)

    def request_retry(
        self, dead_letter: DeadLetterId, *, actor: Actor, reason: str, run_id: RunId | None = None
    ) -> LetterStanding:
        """Have the work of a dead letter done again; the sweep looks at once, and may already have dispatched it.

        Raises NotFound (also when the dead letter is not of *run_id*), NotAllowed, RetryUnavailable, BudgetSpent.
        """
        command = operations.requesting_retry(dead_letter, self.services.policy_of, run_id)
        return self._then_redrive(dead_letter, command, actor, reason)

    def grant_retries(
        self, dead_letter: DeadLetterId, n: int, *, actor: Actor, reason: str, run_id: RunId | None = None
    ) -> LetterStanding:
        """Allow *n* (1 to 100) more dispatches; open or parked becomes retry_requested. Raises NotAllowed when it is
        settled, RetryUnavailable."""
        return self._then_redrive(dead_letter, operations.granting_retries(dead_letter, n, run_id), actor, reason)

    def ignore(
        self, dead_letter: DeadLetterId, *, actor: Actor, reason: str, run_id: RunId | None = None
    ) -> LetterStanding:
        """Decide that a dead letter does not matter. Raises NotAllowed when it is settled."""
        return self._operate(operations.ignoring(dead_letter, run_id), actor, reason)

    def abandon(
        self, dead_letter: DeadLetterId, *, actor: Actor, reason: str, run_id: RunId | None = None
    ) -> LetterStanding:
        """Give the work of a dead letter up. Raises NotAllowed when it is settled."""
        return self._operate(operations.abandoning(dead_letter, run_id), actor, reason)

    def resolve(
        self, dead_letter: DeadLetterId, *, actor: Actor, reason: str, run_id: RunId | None = None
    ) -> LetterStanding:
        """Say that the work of a dead letter was done otherwise. Raises NotAllowed when it is settled."""
        return self._operate(operations.resolving(dead_letter, run_id), actor, reason)

    def reopen(
        self, dead_letter: DeadLetterId, *, actor: Actor, reason: str, run_id: RunId | None = None
    ) -> LetterStanding:
        """Put a settled dead letter back. Raises NotAllowed when it is not settled."""
        return self._operate(operations.reopening(dead_letter, run_id), actor, reason)

    def note_dead_letter(
        self, dead_letter: DeadLetterId, text: str, *, actor: Actor, run_id: RunId | None = None
    ) -> LetterStanding:
        """Write something down about a dead letter."""
        return self._do(operations.noting_letter(dead_letter, self.services.note(text), run_id), human(actor))

    def tick(self) -> TickReport:
        """Reclaim, end timed waits, expire approvals, give up on effects outside runs and on compensations whose lease
        ended, and sweep, for this tenant."""
        refuse_in_batch("tick")
        return tick(self.services, self.tenant)

    def sweep(self) -> SweepReport:
        """Sweep, for this tenant."""
        return sweep(self.services.ledger, self.tenant, self.services.policy_of, self.services.engine)

    def at(self, position: "Asked") -> "TenantPast":
        """What this tenant would have been answered at *position*: a context manager with every query. See
        ``Engine.at``. Raises InvalidValue, StorageError."""
        from redrive.forensics.past import past_of

        return past_of(self.engine, position, tenant=self.tenant).for_tenant(self.tenant)

    def timeline(self, key: str, *, correlated: bool = False, at: "Asked | None" = None) -> "Timeline":
        """What happened to a run, dead letter, effect or compensation, as spans and moments. See ``Engine.timeline``.
        Raises NotFound, InvalidValue."""
        from redrive.forensics import questions

        return questions.timeline(self.engine, self.tenant, key, correlated=correlated, at=at)

    def why(self, key: str, *, at: "Asked | None" = None) -> "Why":
        """Why *key*, or a field of it, is as it was at a position. See ``Engine.why``. Raises NotFound, InvalidValue,
        StreamReadOnly."""
        from redrive.forensics import questions

        return questions.why(self.engine, self.tenant, key, at)

    def blast(self, event: "Asked", *, at: "Asked | None" = None) -> "Blast":
        """What followed from an event. See ``Engine.blast``. Raises NotFound, InvalidValue."""
        from redrive.forensics import questions

        return questions.blast(self.engine, self.tenant, event, at)

    def resume_plan(self, run_id: RunId) -> ResumePlan:
        """What can be done about a run, its approvals, dead letters, doubtful effects and compensations now, and why
        the rest cannot. It is asked of the rules that decide, and promises nothing once something else happens.

        Raises NotFound.
        """
        return self.engine.ledger.transact(Caller(self.tenant), planning(run_id, self.services.policy_of))

    def _claimant(self, worker: str, lease_ms: int, handlers: Container[str] | None) -> Claimant:
        services = self.services
        return Claimant(worker, services.holder, lease_ms, handlers, None, self.outbox, services.claims)

    def _then_redrive(
        self, id_: DeadLetterId, command: operations.LetterCommand, actor: Actor, reason: str
    ) -> LetterStanding:
        """Give the command, and have the sweep look at once, in the same commit; where the letter stands then. In a
        batch its sweep comes with the timer."""
        if collecting():
            return self._operate(command, actor, reason)
        caller = Caller(self.tenant, human(actor), self.services.reason(reason))
        redrive = redriving_letter(id_, self.services.policy_of, self.services.engine)
        jobs: list[tuple[Caller, Callable[[Transaction], Any]]] = [
            (caller, command),
            (Caller(self.tenant, cause=SWEEPER), redrive),
        ]
        given, swept = self.engine.ledger.transact_together(jobs)
        answer: LetterStanding = given.result()
        return swept.result().standing if tell_swept(id_, swept, SweepReport()) else answer
