"""Effects and compensations under random commands, reports, clocks, restarts and zombies."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from redrive import Compensation, CompensationId, CompensationTry, EffectStanding, Failure, Withhold
from redrive.domain.compensation import events as cp
from redrive.domain.compensation.state import CompensationState
from redrive.domain.effect.state import Effect, EffectStatus
from tests.engine.test_state_machine import EngineMachine

KEYS = ("k", "m")
OUTCOMES = ("succeeded", "did_not_happen", "still_unknown")


def failed(failure: Failure | None) -> tuple[str | None, str | None]:
    """As the views have it."""
    return (failure.reason, failure.failure_class) if failure else (None, None)


class EffectMachine(EngineMachine):
    """What the engine's machine does, and the outside world."""

    def __init__(self) -> None:
        self.closed = False
        super().__init__()
        self.standings: list[EffectStanding] = []
        self.handed: list[CompensationTry] = []

    def gate(self) -> Withhold | None:
        """It is open or closed."""
        return Withhold("closed") if self.closed else None

    @rule(closed=st.sampled_from((False, False, True)))
    def turn_the_gate(self, *, closed: bool) -> None:
        self.closed = closed

    def begin(self, attempt: Any, key: str, **more: Any) -> None:
        """Ask to send; what may be sent is remembered for its reports."""
        standing = self.attempt(self.acme.begin_effect, attempt, key, operation="pay", **more)
        if standing is not None and standing.status is EffectStatus.INTENDED:
            self.standings.append(standing)

    @rule(data=st.data(), key=st.sampled_from(KEYS), scope=st.sampled_from(("node", "node", "tenant")))
    def send(self, data: st.DataObject, key: str, scope: Any) -> None:
        if self.attempts:
            plan = Compensation("undo", requires_approval=data.draw(st.booleans())) if key == "k" else None
            attempt = self.some(data, self.attempts)
            self.begin(attempt, key, scope=scope, compensation=plan, tolerate=data.draw(st.booleans()))

    @rule(key=st.sampled_from(KEYS))
    def send_outside(self, key: str) -> None:
        self.begin(None, key)

    @rule(data=st.data(), times=st.integers(1, 3), how=st.sampled_from(("succeed", "fail", "fail", "lose", "lose")))
    def tell(self, data: st.DataObject, times: int, how: str) -> None:
        if not self.standings:
            return
        standing = self.some(data, self.standings)
        told: dict[str, Callable[[], Any]] = {
            "succeed": lambda: self.acme.effect_succeeded(standing, standing.try_number),
            "fail": lambda: self.acme.effect_failed(standing, Failure("outbox_send", "no")),
            "lose": lambda: self.acme.effect_unknown(standing, "lost"),
        }
        told[how]()
        position = self.engine.ledger.last_position()
        for _ in range(times - 1):
            told[how]()
        assert self.engine.ledger.last_position() == position, "the same report again is no event"

    @rule(data=st.data(), outcome=st.sampled_from(OUTCOMES))
    def reconcile(self, data: st.DataObject, outcome: str) -> None:
        if self.standings:
            id_ = self.some(data, self.standings).id
            self.attempt(self.acme.reconcile_effect, id_, outcome, actor="ana", reason="looked")

    @rule(data=st.data())
    def compensate(self, data: st.DataObject) -> None:
        letters = [letter for letter in self.acme.dead_letters().items if letter.source == "tool_effect"]
        if letters:
            self.attempt(self.acme.compensate, self.some(data, letters).id, actor="ana", reason="test")

    @rule(data=st.data(), verb=st.sampled_from(("approve", "approve", "cancel", "rerun")))
    def decide(self, data: st.DataObject, verb: str) -> None:
        events = self.engine.ledger.read(0, 100_000)
        ids = [event.stream for event in events if isinstance(event.event, cp.CompensationProposed)]
        if ids:
            command = getattr(self.acme, f"{verb}_compensation")
            self.attempt(command, CompensationId(self.some(data, ids)), actor="ana", reason="test")

    @rule()
    def take(self) -> None:
        handed = self.acme.claim_compensation(worker="w", operations={"undo"}, lease_ms=60_000)
        if handed is not None:
            self.handed.append(handed)

    @rule(data=st.data(), well=st.booleans(), unknown=st.booleans())
    def end(self, data: st.DataObject, *, well: bool, unknown: bool) -> None:
        if not self.handed:
            return
        handed = self.some(data, self.handed)
        if well:
            self.attempt(self.acme.complete_compensation, handed, handed.epoch)
        else:
            failure = Failure("execution_error", "no")
            self.attempt(self.acme.fail_compensation, handed, failure, outcome_unknown=unknown)

    @invariant()
    def effects_in_memory_equal_the_log(self) -> None:
        states = self.engine.ledger.committer.states
        for standing in self.standings[-2:]:
            cached = states.get(standing.id)
            assert cached is not None
            rows = self.engine.ledger.committer.recorder.rows_of(standing.id, 0)
            assert cached.state == states.fold(rows)

    @invariant()
    def views_of_effects_equal_their_states(self) -> None:
        for row in self.acme.effects().items:
            effect = self.state(row.id)
            assert isinstance(effect, Effect)
            told = (row.status, row.tries, row.reason, row.failure_class, row.did_not_happen, row.receipt_digest)
            assert told == (
                effect.status, effect.tries, *failed(effect.failure), effect.did_not_happen, effect.receipt_digest,
            )  # fmt: skip

    @invariant()
    def views_of_compensations_equal_their_states(self) -> None:
        for row in self.acme.compensations().items:
            state = self.state(row.id)
            assert isinstance(state, CompensationState)
            told = (row.status, row.tries, row.reason, row.failure_class, row.outcome_unknown)
            assert told == (state.status, state.epoch, *failed(state.failure), state.outcome_unknown)
            if row.receipt_digest is not None:
                assert row.receipt_digest == state.report

    def state(self, id_: str) -> object:
        """What the log gives."""
        return self.engine.ledger.committer.states.fold(self.engine.ledger.committer.recorder.rows_of(id_, 0))

    @invariant()
    def the_agenda_equals_the_log(self) -> None:
        assert self.engine.ledger.agenda_rows() == self.engine.ledger.agenda_from_log()


EffectMachine.TestCase.settings = EngineMachine.TestCase.settings
TestEffects = EffectMachine.TestCase
