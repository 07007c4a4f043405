"""Bounds: what the courses of a run have in common, over everything that is unknown."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from redrive.domain.dead_letter.events import DeadLetterOpened, DeadLetterRetryDispatched
from redrive.domain.event import Recorded
from redrive.domain.retry_policy import MAX_ATTEMPTS
from redrive.domain.run.events import AttemptStarted, RunBlocked, RunCompleted, RunFailed
from redrive.forensics.course import Course

MOST_COURSES = 200
MOST_EVENTS = 40_000
"""Of one run, over all its courses that are played."""


class Bounds(BaseModel):
    """At least *low*, at most *high*: with equal numbers, it is known."""

    model_config = ConfigDict(frozen=True)

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low:,}" if self.low == self.high else f"{self.low:,} to {self.high:,}"

    def __add__(self, other: "Bounds") -> "Bounds":
        return Bounds(low=self.low + other.low, high=self.high + other.high)

    def minus(self, recorded: int) -> "Bounds":
        """The difference to what was recorded."""
        return Bounds(low=self.low - recorded, high=self.high - recorded)


def exactly(number: int) -> Bounds:
    """A known number."""
    return Bounds(low=number, high=number)


def spanning(numbers: Iterable[int]) -> Bounds:
    """From the least to the greatest."""
    found = list(numbers)
    return Bounds(low=min(found, default=0), high=max(found, default=0))


@dataclass(slots=True)
class Amounts:
    """What a history amounts to."""

    attempts: int = 0
    retries: int = 0
    dead_letters: int = 0
    dispatches: int = 0
    completed: int = 0
    finished_ms: int | None = None
    load: Counter[int] = field(default_factory=Counter)
    opened: Counter[int] = field(default_factory=Counter)

    def count(self, recorded: Recorded, width_ms: int) -> None:
        """Count one event; *width_ms* is the width of the buckets of time."""
        event = recorded.event
        cls = event.__class__
        if cls is AttemptStarted:
            self.attempts += 1
            if event.lifetime > 1:  # type: ignore[union-attr]
                self.retries += 1
                self.load[recorded.occurred_at_ms // width_ms] += 1
        elif cls is DeadLetterOpened:
            self.dead_letters += 1
            self.opened[recorded.occurred_at_ms // width_ms] += 1
        elif cls is DeadLetterRetryDispatched:
            self.dispatches += 1
        elif cls is RunCompleted:
            self.completed, self.finished_ms = self.completed + 1, recorded.occurred_at_ms
        elif cls is RunFailed or cls is RunBlocked:
            self.finished_ms = None


def amounts_of(events: Iterable[Recorded], width_ms: int) -> Amounts:
    """What *events* amount to."""
    amounts = Amounts()
    for recorded in events:
        amounts.count(recorded, width_ms)
    return amounts


@dataclass(slots=True)
class Courses:
    """The courses that were played of a run: the *first* fails whatever is unknown, the *last* succeeds; *exact* when
    these are all there are."""

    first: Course
    last: Course
    amounts: list[Amounts]
    exact: bool
    saved: set[tuple[str, int, int, int]]
    unknown: set[tuple[str, int, int, int]]


def courses_of(
    play: Callable[[Callable[[int], bool]], Course], width_ms: int, recorded: set[tuple[str, int, int, int]]
) -> Courses:
    """Play every course of a run, or so many that its history is long. *recorded* are the attempts that it made since
    the histories part."""
    first = play(lambda _place: False)
    saved, unknown = set(recorded), set[tuple[str, int, int, int]]()
    amounts: list[Amounts] = []

    def note(course: Course) -> None:
        amounts.append(amounts_of(course.events, width_ms))
        for started in course.started:
            name = (*started.key, started.nth)
            saved.discard(name)
            if not started.known:
                unknown.add(name)

    note(first)
    last, exact = first, True
    if first.choices:
        last = play(lambda _place: True)
        note(last)
        most = max(4, min(MOST_COURSES, MOST_EVENTS // (len(first.events) + len(last.events) + 1)))
        path: list[bool] | None = first.choices
        while (path := _next(path)) is not None:
            if len(amounts) >= most:
                exact = False
                break
            course = play(_along(path))
            note(course)
            path = course.choices
    return Courses(first, last, amounts, exact, saved, unknown)


def _next(path: Sequence[bool]) -> list[bool] | None:
    """The next way through the unknown: the last failure becomes a success, and what came after is open again."""
    for place in range(len(path) - 1, -1, -1):
        if not path[place]:
            return [*path[:place], True]
    return None


def _along(path: Sequence[bool]) -> Callable[[int], bool]:
    return lambda place: place < len(path) and path[place]


def widest(nodes: int, generations: int) -> int:
    """No course has more attempts than this many: for when there are too many courses to play."""
    return nodes * MAX_ATTEMPTS * max(1, generations)
