"""The first violation of an invariant, and every flip: one fold over the log, exact to the event.

How an invariant is watched follows from what it is, never from what is likely:

- A *row invariant* (see ``invariant``) is told row by row. After each event, the rows that it may have changed are
  projected to the columns that the query reads; what SQLite says of each distinct projection is remembered, and how
  many rows violate is a count. This keeps up with the fold of the table.
- A condition over aggregates of one table each (counts, sums, the greatest, the least) is told by totals of what the
  rows give to them, as long as these are whole numbers.
- Any other query is asked again after each event that may have changed what it reads: of rows of runs, dead letters,
  effects and compensations, when a column that it reads differs; of other tables, when the event could have touched
  them. Each time costs the writing of what was folded, and the query itself.
- A predicate in Python is called after every event; the views are folded when it asks them something, not before.

``settled`` judges only where the events of a command end, which is all that anybody can have seen of the views: what
must be true together is appended together, and amid it much is not. ``every`` gives exactness up: the invariant is
asked after every so many events, and flips in between are not seen.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

from redrive.domain.errors import InvalidValue
from redrive.domain.event import Recorded
from redrive.domain.identity import COUNTED
from redrive.domain.values import clean_integer
from redrive.forensics.diff import Responsible
from redrive.forensics.footing import Footing, footing
from redrive.forensics.invariants.aggregates import aggregated
from redrive.forensics.invariants.invariant import Guard, Invariant, by_row, checked
from redrive.forensics.invariants.named import NAMED
from redrive.forensics.invariants.predicates import Look, Told
from redrive.forensics.invariants.totals import Totals
from redrive.forensics.invariants.watching import AskedAgain, How, Now, RowByRow, Watch
from redrive.forensics.positions import Asked, Position, position_of
from redrive.forensics.prefix import Progress
from redrive.forensics.steps import Steps
from redrive.history import entry_of
from redrive.projections.models import Model

if TYPE_CHECKING:
    from redrive.engine import Engine

MOST_FLIPS = 1_000
MOST_EVERY = 1_000_000
_NAME = re.compile(r"[a-z]+(-[a-z]+)+")


class Predicate(Protocol):
    """What must hold, in Python: whether it does after *event*. *look* asks the views as they stand then."""

    def __call__(self, event: Recorded, look: Look, /) -> bool:
        """Whether it holds."""


class Flip(Model):
    """Where the invariant began to be *violated*, or began to hold again. *event* is what did it, None where the fold
    began. *rows*: some of what violates it."""

    position: int
    violated: bool
    event: Responsible | None
    rows: tuple[dict[str, Any], ...] = ()


class InvariantReport(Model):
    """What became of an invariant after *start*, up to *end*. *first* is the first violation, None when it held
    throughout; *flips* are all of them and every return, the first 1,000 of *total*. *how* it was watched: by_row,
    by_query or by_predicate; *settled*: only where the events of a command end; *asked* counts how often SQLite or the
    predicate was. Not *exact*: it was asked only every *every* events, what happened in between is not known, and an
    event is the last of those."""

    invariant: str
    name: str | None
    how: How
    settled: bool
    exact: bool
    every: int
    start: Position
    end: Position
    first: Flip | None
    flips: tuple[Flip, ...]
    total: int
    violated_at_end: bool
    events: int
    asked: int
    footing: Footing


def first(
    engine: "Engine",
    invariant: "str | Invariant | Predicate",
    *,
    start: Asked = 0,
    end: Asked = "now",
    every: int = 1,
    settled: bool | None = None,
    progress: Progress | None = None,
    checkpoint_events: int | None = None,
) -> InvariantReport:
    """Where *invariant* is first violated after *start*, up to *end*. Raises InvalidValue, StorageError."""
    step = clean_integer(every, "every", 1, MOST_EVERY)
    since, until = position_of(engine.ledger, start), position_of(engine.ledger, end)
    if until.position < since.position:
        raise InvalidValue("end", end, f"a position at or after {since}, where the look begins")
    wanted = _wanted(invariant)
    at_ends = settled if settled is not None else isinstance(wanted, Invariant) and wanted.settled
    with Steps(engine, since, until, progress, checkpoint_events) as steps:
        watch = _watch(steps, wanted, step)
        verdicts = _verdicts(steps, watch, step)
        flips, total, violated = _flips(_settled(verdicts) if at_ends else verdicts, since.position)
    return InvariantReport(
        invariant=wanted.sql if isinstance(wanted, Invariant) else _called(wanted),
        name=wanted.name if isinstance(wanted, Invariant) else None,
        how=watch.how,
        settled=at_ends,
        exact=step == 1,
        every=step,
        start=since,
        end=until,
        first=next((flip for flip in flips if flip.violated), None),
        flips=tuple(flips),
        total=total,
        violated_at_end=violated,
        events=steps.events,
        asked=watch.asked,
        footing=footing(engine, until.position),
    )


def _flips(verdicts: Iterator[Now], since: int) -> tuple[list[Flip], int, bool]:
    """Where it came and went: the first of them, how many there are, and whether it is violated at the end."""
    flips, total, violated = list[Flip](), 0, False
    for now in verdicts:
        if now.violated != violated:
            violated, total = now.violated, total + 1
            if total <= MOST_FLIPS:
                flips.append(_flip(now, since))
    return flips, total, violated


def _wanted(invariant: "str | Invariant | Predicate") -> "Invariant | Predicate":
    if isinstance(invariant, str):
        name = invariant.strip()
        if name not in NAMED and _NAME.fullmatch(name):
            raise InvalidValue("invariant", name, f"SQL over the views, or one of {', '.join(NAMED)}")
        return NAMED.get(name) or Invariant(checked(invariant))
    if isinstance(invariant, Invariant):
        return Invariant(checked(invariant.sql), invariant.name, invariant.meaning)
    if callable(invariant):
        return invariant
    raise InvalidValue("invariant", invariant, "SQL over the views, the name of one, or a function of event and views")


def _watch(steps: Steps, wanted: "Invariant | Predicate", every: int) -> Watch:
    if not isinstance(wanted, Invariant):
        return Told(steps, wanted, every)
    guard = Guard(steps.connection, wanted.sql)
    guard.is_violated()  # refused at once, when it cannot be asked
    rows = by_row(wanted.sql) if every == 1 else None
    if rows is not None:
        try:
            return RowByRow(steps, guard, rows)
        except InvalidValue:  # it looked like one, and says something that only the table itself can answer
            pass
    totals = aggregated(wanted.sql) if every == 1 else None
    if totals is not None:
        with contextlib.suppress(InvalidValue):  # likewise
            return Totals(steps, guard, totals)
    return AskedAgain(steps, guard, every)


def _verdicts(steps: Steps, watch: Watch, every: int) -> Iterator[Now]:
    """The verdict at the start, and after that wherever it may have become another one."""
    yield watch.begin()
    for events in steps.batches(256 if every == 1 else every, watch.wants):
        if events:
            yield from watch.after(events)


def _settled(verdicts: Iterator[Now]) -> Iterator[Now]:
    """The last verdict amid the events of each command: the one with which it ends."""
    for _, of_command in groupby(verdicts, key=lambda now: None if now.event is None else _command_of(now.event)):
        *_, last = of_command
        yield last


def _command_of(event: Recorded) -> str:
    """What the ids of the events have in common that one command appended."""
    return event.event_id[:-COUNTED] if len(event.event_id) > 2 * COUNTED else str(event.position)


def _flip(now: Now, start: int) -> Flip:
    event = None if now.event is None else Responsible.of(entry_of(now.event))
    return Flip(position=event.position if event else start, violated=now.violated, event=event, rows=now.rows)


def _called(predicate: Callable[..., object]) -> str:
    return str(getattr(predicate, "__qualname__", type(predicate).__qualname__))
