"""What was found about the runs of a log, or about some of them: plain numbers, for a log may have many of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from pydantic import TypeAdapter

from redrive.forensics.what_if.bounds import Amounts, Bounds, Courses, amounts_of, exactly, spanning
from redrive.forensics.what_if.report import Recoveries
from redrive.forensics.what_if.widest import Widest, widened

ADDED = ("attempts", "retries", "dead_letters", "dispatches", "completed")


@dataclass(slots=True)
class Sums:
    """What the runs that differ come to together, at least and at most, added up run by run. *inexact* is of how many
    not every course was played."""

    low: Amounts = field(default_factory=Amounts)
    high: Amounts = field(default_factory=Amounts)
    inexact: int = 0
    recovered: Counter[str] = field(default_factory=Counter)

    def add_all(self, other: "Sums") -> None:
        """Add what other runs come to."""
        self.low.add(other.low)
        self.high.add(other.high)
        self.inexact += other.inexact
        self.recovered.update(other.recovered)

    def add(self, courses: Courses, widest: Callable[[], Widest], width_ms: int) -> Callable[[str], Bounds]:
        """Add what a run amounts to; the bounds of each number of it, for who wants to tell them."""
        if len(courses.amounts) == 1 and courses.exact:
            only = courses.amounts[0]
            self.low.add(only)
            self.high.add(only)
            return lambda name: exactly(getattr(only, name))
        bounds = {name: spanning(getattr(a, name) for a in courses.amounts) for name in ADDED}
        if not courses.exact:
            self.inexact += 1
            shared = amounts_of(courses.first.events[: courses.first.shared], width_ms)
            bounds = widened(bounds, shared, widest())
        for name, found in bounds.items():
            setattr(self.low, name, getattr(self.low, name) + found.low)
            setattr(self.high, name, getattr(self.high, name) + found.high)
        for bucket in {bucket for a in courses.amounts for bucket in a.load}:
            loads = [a.load[bucket] for a in courses.amounts]
            self.low.load[bucket] += min(loads)
            self.high.load[bucket] += max(loads)
        self._add_opened([a.opened for a in courses.amounts])
        return bounds.__getitem__

    def _add_opened(self, opened: Sequence[Counter[int]]) -> None:
        """Dead letters are counted up: of each course up to each bucket, and then the least and the most."""
        least = most = 0
        for bucket in sorted({bucket for of in opened for bucket in of}):
            found = [sum(n for at, n in of.items() if at <= bucket) for of in opened]
            self.low.opened[bucket] += min(found) - least
            self.high.opened[bucket] += max(found) - most
            least, most = min(found), max(found)

    def recover(self, recorded: Amounts, courses: Courses) -> Bounds | None:
        """Note whether a run completes as *recorded*, and on its courses; how much later, when it completes anyway."""
        completed, told = [bool(a.completed) for a in courses.amounts], self.recovered
        always, ever = all(completed), any(completed)
        if not recorded.completed:
            told["gained low"] += always
            told["gained high"] += ever
            return None
        if not always:
            told["lost low"] += not ever
            told["lost high"] += 1
            return None
        later = _later(recorded.finished_ms, [a.finished_ms for a in courses.amounts])
        if later is None:
            return None
        told["later low"] += later[0]
        told["later high"] += later[1]
        told[_word(*later)] += 1
        return Bounds(low=later[0], high=later[1])

    def recoveries(self) -> Recoveries:
        """All of them."""
        told = self.recovered
        gained, lost, later_ms = (
            Bounds(low=told[f"{name} low"], high=told[f"{name} high"]) for name in ("gained", "lost", "later")
        )
        return Recoveries(
            earlier=told["earlier"], later=told["later"], same=told["same"], undecided=told["undecided"],
            gained=gained, lost=lost, later_ms=later_ms,
        )  # fmt: skip


@dataclass(slots=True)
class Findings:
    """What is *recorded*, and what of it stays the *same*; what the runs that differ come to in *sums*; from which
    position on each of them has *parted* from what was recorded, and which are *gone*, having been dropped as a whole;
    *notes*, by position. What the policy may have changed about the runs that are *kept* cannot be told, and why."""

    recorded: Amounts = field(default_factory=Amounts)
    same: Amounts = field(default_factory=Amounts)
    sums: Sums = field(default_factory=Sums)
    parted: dict[str, int] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    notes: list[tuple[int, str]] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)

    def add(self, other: "Findings") -> None:
        """Add what was found about other runs."""
        self.recorded.add(other.recorded)
        self.same.add(other.same)
        self.sums.add_all(other.sums)
        self.parted.update(other.parted)
        self.gone |= other.gone
        self.notes += other.notes
        self.kept = {**other.kept, **self.kept}


@cache
def findings_json() -> TypeAdapter[Findings]:
    """Findings as one process tells them another."""
    return TypeAdapter(Findings)


def _later(recorded_ms: int | None, finished_ms: Iterable[int | None]) -> tuple[int, int] | None:
    """How much later a run ends on the course that ends first, and on the one that ends last."""
    if recorded_ms is None:
        return None
    ends = [at - recorded_ms for at in finished_ms if at is not None]
    return min(ends, default=0), max(ends, default=0)


def _word(low: int, high: int) -> str:
    if low == high == 0:
        return "same"
    if high <= 0:
        return "earlier"
    return "later" if low >= 0 else "undecided"
