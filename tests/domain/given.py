"""Given events, when a rule, then events or a refusal: the language of the tests of the pure rules.

State is always built by folding events. Every ``when`` also asserts that the rule changed nothing itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar

from redrive.domain.compensation.state import CompensationState
from redrive.domain.compensation.state import evolve as evolve_compensation
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.dead_letter.state import evolve as evolve_letter
from redrive.domain.effect.state import Effect
from redrive.domain.effect.state import evolve as evolve_effect
from redrive.domain.errors import RedriveError
from redrive.domain.event import Event
from redrive.domain.flow import Flow
from redrive.domain.identity import FlowDigest, Tenant
from redrive.domain.run import events as e
from redrive.domain.run.evolution import evolve as evolve_run
from redrive.domain.run.state import Run

S = TypeVar("S", Run, DeadLetter, Effect, CompensationState)
P = ParamSpec("P")

TENANT = Tenant("acme", "billing", "prod")

_FLOWS: dict[FlowDigest, Flow] = {}


@dataclass(frozen=True)
class Fact:
    """An expected event: its exact class, and those of its fields that the test is about."""

    cls: type[Event]
    fields: dict[str, Any]

    def matches(self, event: Event) -> bool:
        """Whether *event* is of this class and has these fields."""
        return type(event) is self.cls and all(getattr(event, name) == value for name, value in self.fields.items())


Expected: TypeAlias = Fact | type[Event] | Event


def fact(cls: type[Event], **fields: object) -> Fact:
    """An event of *cls* of which only *fields* matter."""
    return Fact(cls, fields)


@dataclass(frozen=True)
class Given(Generic[S]):
    """A history, and the state that it folds into."""

    fold: Callable[[Sequence[Event]], S]
    events: tuple[Event, ...]

    @property
    def state(self) -> S:
        """The state, folded anew."""
        return self.fold(self.events)

    def when(self, rule: Callable[Concatenate[S, P], object], *args: P.args, **kwargs: P.kwargs) -> "When[S]":
        """Ask *rule*; it must leave the state as it was."""
        state = self.state
        try:
            result, refusal = _events_of(rule(state, *args, **kwargs)), None
        except RedriveError as error:
            result, refusal = (), error
        assert state == self.state, "a rule must not change the state"
        return When(self, result, refusal)


@dataclass(frozen=True)
class When(Generic[S]):
    """What a rule answered."""

    given: Given[S]
    result: tuple[Event, ...]
    refusal: RedriveError | None

    def then(self, *expected: Expected) -> Given[S]:
        """The rule gave exactly these events, in this order; returns the history that includes them."""
        assert self.refusal is None, f"refused: {self.refusal!r}"
        shown = "\n".join(map(repr, self.result))
        assert len(self.result) == len(expected), f"{len(expected)} events expected, got:\n{shown}"
        for event, wanted in zip(self.result, expected, strict=True):
            assert _as_expected(event, wanted), f"expected {wanted!r}, got {event!r}"
        return Given(self.given.fold, (*self.given.events, *self.result))

    def then_refused(self, error: type[RedriveError], saying: str = "") -> Given[S]:
        """The rule refused with exactly *error*, nothing happened; returns the history as it was."""
        assert type(self.refusal) is error, f"expected {error.__name__}, got {self.refusal!r} and {self.result!r}"
        assert saying in str(self.refusal)
        return self.given


def _as_expected(event: Event, wanted: Expected) -> bool:
    if isinstance(wanted, Fact):
        return wanted.matches(event)
    return type(event) is wanted if isinstance(wanted, type) else event == wanted


def _events_of(result: object) -> tuple[Event, ...]:
    if isinstance(result, tuple):  # abandon_claim also returns its final decisions
        result = result[0]
    return tuple(result) if isinstance(result, list) else (result,) if isinstance(result, Event) else ()


def given(*events: Event) -> Given[Run]:
    """A run with this history; the first event is ``submitted(flow)``."""
    return Given(fold_run, events)


def fold_run(events: Sequence[Event]) -> Run:
    """The run that *events* tell of."""
    first = events[0]
    assert isinstance(first, e.RunSubmitted)
    run = Run(_FLOWS[first.flow], TENANT)
    for event in events:
        evolve_run(run, event)
    return run


def known(flow: Flow) -> FlowDigest:
    """The digest of *flow*, from now on known to the fold."""
    _FLOWS[flow.digest] = flow
    return flow.digest


def given_letter(*events: Event) -> Given[DeadLetter]:
    """A dead letter with this history; the first event is ``opened()``."""
    return Given(fold_letter, events)


def fold_letter(events: Sequence[Event]) -> DeadLetter:
    """The dead letter that *events* tell of."""
    letter = DeadLetter(TENANT)
    for event in events:
        evolve_letter(letter, event)
    return letter


def given_effect(*events: Event) -> Given[Effect]:
    """An effect with this history; the first event is ``intended()`` or ``withheld()``."""
    return Given(fold_effect, events)


def fold_effect(events: Sequence[Event]) -> Effect:
    """The effect that *events* tell of."""
    effect = Effect(TENANT)
    for event in events:
        evolve_effect(effect, event)
    return effect


def given_compensation(*events: Event) -> Given[CompensationState]:
    """A compensation with this history; the first event is ``proposed()``."""
    return Given(fold_compensation, events)


def fold_compensation(events: Sequence[Event]) -> CompensationState:
    """The compensation that *events* tell of."""
    compensation = CompensationState(TENANT)
    for event in events:
        evolve_compensation(compensation, event)
    return compensation
