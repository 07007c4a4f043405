"""Bounds: what the courses of a run have in common, over everything that is unknown."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from redrive.domain.dead_letter.events import DeadLetterOpened, DeadLetterRetryDispatched
from redrive.domain.event import Recorded
from redrive.domain.run.events import AttemptStarted, RunBlocked, RunCompleted, RunFailed
from redrive.forensics.what_if.paper import FAILS, SUCCEEDS, Choose, Course
from redrive.projections.models import Model

MOST_COURSES = 32
MOST_CHOICES = 6
"""With more in the first course, there are too many courses to play them all."""
MOST_EVENTS = 20_000
"""Of one run, over all its courses that are played."""


class Bounds(Model):
    """At least *low*, at most *high*: with equal numbers, it is known."""

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


Named = tuple[str, int, int, int]
"""An attempt: node, generation, number, and the how-manieth try with these."""


_COUNTED: frozenset[type] = frozenset(
    (AttemptStarted, DeadLetterOpened, DeadLetterRetryDispatched, RunCompleted, RunFailed, RunBlocked)
)


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
        if cls not in _COUNTED:
            return
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

    def add(self, other: "Amounts") -> None:
        """Add what another history amounts to; when it ended is of each by itself."""
        self.attempts += other.attempts
        self.retries += other.retries
        self.dead_letters += other.dead_letters
        self.dispatches += other.dispatches
        self.completed += other.completed
        for bucket, number in other.load.items():
            self.load[bucket] += number
        for bucket, number in other.opened.items():
            self.opened[bucket] += number


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
    saved: set[Named]
    unknown: set[Named]


Ends = tuple[Course, Course]
"""The course on which everything unknown fails, and the one where it succeeds: the same where nothing is unknown."""


def ends_of(play: Callable[[Choose], Course]) -> Ends:
    """Play the two extreme courses of a run."""
    first = play(lambda _place: FAILS)
    return first, (play(lambda _place: SUCCEEDS) if first.choices else first)


def courses_of(play: Callable[[Choose], Course], width_ms: int, recorded: set[Named], *, named: bool) -> Courses:
    """Play every course of a run, or so many that its history is long. *recorded* are the attempts that it made since
    the histories part; only when they are *named*, attempts are noted by name."""
    first, last = ends_of(play)
    saved, unknown = set(recorded), set[Named]()
    amounts: list[Amounts] = []

    def note(course: Course) -> None:
        amounts.append(amounts_of(course.events, width_ms))
        for started in course.started if named else ():
            name = (*started.key, started.nth)
            saved.discard(name)
            if not started.known:
                unknown.add(name)

    note(first)
    exact = not first.given_up
    if last is not first:
        note(last)
        most = max(4, min(MOST_COURSES, MOST_EVENTS // (len(first.events) + len(last.events) + 1)))
        path: list[int] | None
        before = first.choices
        exact = exact and not last.given_up and len(before) <= MOST_CHOICES
        while exact and (path := _next(before)) is not None:
            if len(amounts) >= most:
                exact = False
                break
            if path == [choice for choice, _ in last.choices]:  # it was played already
                before = last.choices
                continue
            course = play(_along(path))
            note(course)
            exact = not course.given_up
            before = course.choices
    return Courses(first, last, amounts, exact, saved, unknown)


def _next(choices: Sequence[tuple[int, int]]) -> list[int] | None:
    """The next way through the unknown: the last choice that has another, and what came after is open again."""
    for place in range(len(choices) - 1, -1, -1):
        chosen, of = choices[place]
        if chosen < of - 1:
            return [*(choice for choice, _ in choices[:place]), chosen + 1]
    return None


def _along(path: Sequence[int]) -> Choose:
    return lambda place: path[place] if place < len(path) else FAILS
