"""Watching a predicate in Python: it is called after each event, and the views are folded when it asks them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from redrive.domain.event import Recorded
from redrive.forensics.invariants.invariant import Guard
from redrive.forensics.invariants.watching import How, Now, Wants
from redrive.forensics.steps import Steps

MOST_PENDING = 2_048

Ask = Callable[[Recorded, "Look"], bool]


class Look:
    """The views after an event, for a predicate: folded when they are asked."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._pending: list[Recorded] = []
        self._missed = 0
        self._guard = Guard(steps.connection, "a predicate's query")

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a query finds that reads the views, and does nothing else. Raises InvalidValue."""
        self.settle()
        return self._guard.ask(query, values, 2**31 - 1)

    def add(self, event: Recorded) -> None:
        """One more event that is not folded yet."""
        self._pending.append(event)
        if len(self._pending) >= MOST_PENDING:  # who never asks pays for no fold
            self._missed = event.position
            self._pending.clear()

    def settle(self) -> None:
        """Fold what is pending; what was let go is read again."""
        if self._missed:
            self._steps.go_to(self._missed)
            self._missed = 0
        if self._pending:
            self._steps.fold(self._pending)
            self._pending = []


class Told:
    """Watches a predicate: asks it after each event, or after each *every*-th."""

    how: How = "by_predicate"
    wants: Wants = None

    def __init__(self, steps: Steps, holds: Ask, every: int) -> None:
        self._look, self._holds, self._every = Look(steps), holds, every
        self._violated = False
        self.asked = 0

    def begin(self) -> Now:
        """Before the first event there is nothing to judge."""
        return Now(None, violated=False)

    def after(self, events: Sequence[Recorded]) -> Iterator[Now]:
        """The verdicts after *events* that differ from the one before."""
        for number, event in enumerate(events, 1):
            self._look.add(event)
            if self._every == 1 or number == len(events):
                self.asked += 1
                violated = not self._holds(event, self._look)
                if violated != self._violated:
                    self._violated = violated
                    yield Now(event, violated)
