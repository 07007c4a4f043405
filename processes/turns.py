"""Turns: what a worker does in one commit.

A turn reports everything that ended, starts what became ready, claims what is due, and renews leases; each of
these is a command of its own, so that one refusal harms no other.
"""

from collections.abc import Callable, Container, Mapping
from typing import Any

from redrive.domain.errors import (
    Conflict,
    NotFound,
    OutcomePending,
    RedriveError,
    Refused,
    StaleAttempt,
    StorageError,
    StreamDamaged,
)
from redrive.domain.failure import EXECUTION_ERROR, INTERRUPTED, PROVIDER_TRANSIENT, Failure
from redrive.domain.ports import Caller, Outcome, Transaction
from redrive.domain.run.attempts import AttemptId
from redrive.domain.run.state import Status
from redrive.processes.claimant import Claimant
from redrive.processes.handlers import AttemptError, Handler, Snooze, milliseconds
from redrive.processes.handout import Attempt, Progress
from redrive.processes.held import Held, next_look
from redrive.processes.leases import MOST_CLAIMS, claiming, releasing, renewing, starting_all
from redrive.processes.places import Free, Places
from redrive.processes.reports import completing_with, failing, snoozing
from redrive.processes.services import Services
from redrive.processes.slots import Slots
from redrive.projections.logs import log

OWN_DEADLINE_GRACE_MS = 10_000
LOST = (Refused, NotFound, StreamDamaged)
Ended = tuple[Attempt, Any, BaseException | None]
"""An attempt with an Output or a Snooze, as ``told`` has read it; or the error."""
Command = Callable[[Transaction], Any]
After = Callable[[Outcome[Any]], None]


class Turns:
    """The claims of one worker, and the commands that move them."""

    def __init__(
        self,
        services: Services,
        caller: Caller,
        claimant: Claimant,
        handlers: Mapping[str, Handler],
        places: Places,
    ) -> None:
        self._services, self._ledger, self._caller = services, services.ledger, caller
        self._claimant, self._handlers, self._places = claimant, handlers, places
        self.held: dict[str, Held] = {}

    def running(self) -> list[Attempt]:
        """The attempts that are in hand: they run here, or wait for a place."""
        return [attempt for held in self.held.values() for attempt in held.running.values()]

    def in_hand(self) -> int:
        """How many attempts are."""
        return sum(len(held.running) for held in self.held.values())

    def places(self, ended: int = 0) -> Places:
        """What may be started, when *ended* of those in hand have ended."""
        return self._places.after(self.in_hand() - ended)

    def _free(self, ended: int) -> Free:
        """The places of a turn, in which *ended* are reported."""
        return Free(self.places(ended))

    def turn(self, ended: list[Ended], slots: Slots, *, claim: bool) -> bool:
        """Commit one turn; whether it did anything. With *claim* false nothing new is started or claimed.

        Raises StorageError; then nothing is lost: the same *ended* may be given again.
        """
        now = self._ledger.now_ms()
        jobs: list[tuple[Command, After]] = []
        for attempt, result, error in [*ended, *self._overdue(now, slots, {attempt.id for attempt, *_ in ended})]:
            held = self.held.get(attempt.run_id)
            if held is not None and held.running.get(attempt.id) is attempt:
                held.look_again_ms = 0
                jobs.append((self._report(attempt, result, error), self._after_report(held, attempt, slots)))
        for held in self.held.values() if jobs else ():
            held.look_again_ms = 0 if held.limited else held.look_again_ms
        free = self._free(len(jobs))
        if claim and not free.places.taken:
            looking = [held for held in self.held.values() if held.look_again_ms <= now]
            jobs += [(self._go_on(held, free), self._after_start(held, slots)) for held in looking]
            jobs.append((self._claim(free), lambda outcome: self._after_claim(outcome, slots)))
        third = self._claimant.lease_ms // 3
        due = [held for held in self.held.values() if held.expires_at_ms - now <= 2 * third]
        jobs += [(renewing(held.claim, None), self._after_renewal(held, slots)) for held in due]
        if not jobs:
            return False
        before = self.in_hand()
        outcomes = self._ledger.transact_together([(self._caller, command) for command, _ in jobs])
        trouble: StorageError | Conflict | None = None
        for (_, after), outcome in zip(jobs, outcomes, strict=True):
            try:
                after(outcome)
            except (StorageError, Conflict) as error:
                trouble = error  # of this one alone, perhaps: what the others did is in the log
        if trouble is not None:
            raise trouble
        return bool(ended) or self.in_hand() > before

    def drop_lost(self, slots: Slots) -> None:
        """Give up the claims that are no longer on the agenda: cancelled, or taken over."""
        live = self._ledger.live_claims([held.claim.run_id for held in self.held.values()])
        for held in [held for run, held in self.held.items() if run not in live]:
            self._lose(held, slots)

    def abort(self, slots: Slots) -> None:
        """Tell every running handler to stop; what they say then is reported."""
        for attempt in self.running():
            slots.give_up(attempt)

    def withdraw(self, slots: Slots) -> list[Ended]:
        """What has not begun, as ended: it is due again, and no attempt of it is used up."""
        return [(attempt, Snooze(0), None) for attempt in slots.withdraw()]

    def give_back(self, slots: Slots) -> None:
        """Stop in a hurry: running attempts end as interrupted, and every claim is given back."""
        ended = self.withdraw(slots)
        begun = {attempt.id for attempt, *_ in ended}
        for attempt in [attempt for attempt in self.running() if attempt.id not in begun]:
            slots.give_up(attempt)
            failure = Failure(INTERRUPTED, "the worker was stopped", kind="stopped")
            ended.append((attempt, None, AttemptError(failure)))
        try:
            self.turn(ended, slots, claim=False)
        except RedriveError as error:
            log.error("worker.not_given_back", error=str(error))
        self.release_all()

    def release_all(self) -> None:
        """Give back every claim, in one commit; none has an attempt running."""
        held = list(self.held.values())
        self.held.clear()
        jobs = [(self._caller, releasing(each.claim, no_handler=False)) for each in held]
        outcomes = self._ledger.transact_together(jobs) if jobs else ()
        for each, outcome in zip(held, outcomes, strict=True):
            try:
                outcome.result()
            except (Refused, NotFound, StorageError, Conflict) as refused:
                log.info("worker.release_refused", run=each.claim.run_id, code=refused.code)

    def _report(self, attempt: Attempt, result: Any, error: BaseException | None) -> Command:
        """The command that reports how an attempt ended."""
        if error is None:
            if isinstance(result, Snooze):
                return self._snoozing(attempt, milliseconds(result.delay))
            return completing_with(attempt.id, result.value, self._services.policy_of)
        failure = self._services.failure_told(error)
        return failing(attempt.id, failure, self._services.policy_of, self._services.classifier)

    def _snoozing(self, attempt: Attempt, delay_ms: int) -> Command:
        """Snooze; a handler that left an effect without an outcome cannot: its attempt fails instead."""
        snooze = snoozing(attempt.id, delay_ms)

        def command(tx: Transaction) -> Any:
            try:
                return snooze(tx)
            except OutcomePending as pending:
                failure = self._services.failure(Failure(EXECUTION_ERROR, str(pending), kind="outcome_pending"))
                return failing(attempt.id, failure, self._services.policy_of, self._services.classifier)(tx)

        return command

    def _after_report(self, held: Held, attempt: Attempt, slots: Slots) -> After:
        def after(outcome: Outcome[Any]) -> None:
            try:
                answer = outcome.result()
            except LOST as refused:
                log.info("attempt.report_refused", run=attempt.run_id, node=attempt.node, code=refused.code)
                if not isinstance(refused, StaleAttempt):
                    self._lose(held, slots)
                answer = None
            held.running.pop(attempt.id, None)
            if isinstance(answer, Progress) and answer.status is not Status.RUNNING:
                self._forget(held)

        return after

    def _go_on(self, held: Held, free: Free) -> Command:
        """Start what is ready in a claim; give the run back when nothing runs and nothing here can start."""

        def go_on(tx: Transaction) -> tuple[list[Attempt], tuple[int, bool] | None]:
            if (places := free.left(held.claim.run_id)).taken:
                return [], (0, held.limited)
            attempts = starting_all(held.claim, self._claimant, places)(tx)
            places = free.take(held.claim.run_id, len(attempts))
            run = tx.run(held.claim.run_id)
            if run.status is Status.QUEUED:  # limits hold it back
                return [], None
            if not attempts and not places.now:  # what is ready may not wait for a place
                return [], (0, held.limited)
            if not run.running:
                releasing(held.claim, no_handler=True)(tx)
            return attempts, next_look(tx, run, places)

        return go_on

    def _after_start(self, held: Held, slots: Slots) -> After:
        def after(outcome: Outcome[Any]) -> None:
            try:
                attempts, look = outcome.result()
            except LOST:  # the run settled, or the claim is gone
                if held.running:
                    self._lose(held, slots)
                else:
                    self._forget(held)
                return
            if look is None:
                self._forget(held)
                return
            held.look_again_ms, held.limited = look
            self._launch(held, attempts, slots)

        return after

    def _claim(self, free: Free) -> Command:
        def claim(tx: Transaction) -> list[Held]:
            if (places := free.left("claim")).taken:
                return []
            claims = claiming(self._claimant, min(places.total, MOST_CLAIMS), places.now, places.ahead)(tx)
            places = free.take("claim", sum(len(claim.attempts) for claim in claims))
            return [
                Held(claim, claim.expires_at_ms, {}, *next_look(tx, tx.run(claim.run_id), places)) for claim in claims
            ]

        return claim

    def _after_claim(self, outcome: Outcome[Any], slots: Slots) -> None:
        won: list[Held] = outcome.result()
        for held in won:
            run = held.claim.run_id
            if (expired := self.held.get(run)) is not None:  # an older claim of ours: its handlers stop
                self._lose(expired, slots)
            self.held[run] = held
            self._launch(held, held.claim.attempts, slots)

    def _after_renewal(self, held: Held, slots: Slots) -> After:
        def after(outcome: Outcome[Any]) -> None:
            try:
                lease = outcome.result()
            except LOST:
                if held.running:
                    self._lose(held, slots)
                return
            held.expires_at_ms = lease.expires_at_ms
            if lease.cancelled:
                self._lose(held, slots)

        return after

    def _launch(self, held: Held, attempts: tuple[Attempt, ...] | list[Attempt], slots: Slots) -> None:
        for attempt in attempts:
            held.running[attempt.id] = attempt
            slots.run(attempt)

    def _forget(self, held: Held) -> None:
        if self.held.get(held.claim.run_id) is held:
            del self.held[held.claim.run_id]

    def _lose(self, held: Held, slots: Slots) -> None:
        """This claim is gone: its handlers are told, and their results go nowhere. A later one of ours stays."""
        self._forget(held)
        log.info("worker.claim_lost", run=held.claim.run_id, epoch=held.claim.epoch, running=len(held.running))
        held.claim.signals.cancel()
        for attempt in held.running.values():
            slots.give_up(attempt)
        held.running.clear()

    def _grace_ms(self, attempt: Attempt) -> int:
        """How long a handler that ends its work at the deadline by itself is given to say so."""
        handler = self._handlers.get(attempt.handler) if attempt.deadline_ms is not None else None
        return OWN_DEADLINE_GRACE_MS if getattr(handler, "enforces_deadline", False) else 0

    def next_renewal_ms(self) -> int | None:
        """When the next lease is to be renewed."""
        return min((h.expires_at_ms - 2 * (self._claimant.lease_ms // 3) for h in self.held.values()), default=None)

    def _overdue(self, now: int, slots: Slots, ended: Container[AttemptId]) -> list[Ended]:
        """Attempts beyond their deadline that have not *ended*; their handlers are told, and late results are stale."""
        found: list[Ended] = []
        for attempt in self.running():
            if attempt.id in ended or attempt.deadline_ms is None:
                continue
            if attempt.deadline_ms + self._grace_ms(attempt) <= now:
                slots.give_up(attempt)
                reason = f"no result within {attempt.deadline_ms - attempt.started_at_ms} ms"
                found.append((attempt, None, AttemptError(Failure(PROVIDER_TRANSIENT, reason, kind="timeout"))))
        return found
