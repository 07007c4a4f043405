"""The tally: what one transaction sees of the limits, with what it has claimed, started and ended itself."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from redrive.domain.event import Event
from redrive.domain.identity import RunId, Tenant
from redrive.domain.limits import Bucket, full_bucket, keys_of_run, taken
from redrive.domain.ports import Due
from redrive.domain.run.events import AttemptStarted, RunClaimed
from redrive.domain.run.state import Run
from redrive.ledger.capacity import Capacity
from redrive.ledger.capacity_rows import CapacityRow, WaiterRow, usage_of
from redrive.ledger.database import Connection
from redrive.ledger.limit_book import LimitBook

if TYPE_CHECKING:
    from redrive.ledger.committer import Committer


MOST_SOUGHT = 256


def tokens_taken(run: Run, event: Event) -> Sequence[str]:
    """The limits of which an event takes a token: starts of nodes, claims of runs."""
    if isinstance(event, AttemptStarted):
        return run.flow.nodes[event.node].limit_keys
    return keys_of_run(run.tenant) if isinstance(event, RunClaimed) else ()


class Tally(Capacity):
    """Capacity as of now within a transaction; ``flush`` writes what it changed."""

    def __init__(self, connection: Connection, book: LimitBook, now_ms: int, tenant: Tenant | None) -> None:
        super().__init__(connection, book, now_ms)
        self._tenant = tenant
        self.changed: list[str] = []
        self._reserved: Counter[str] = Counter()
        self._delta: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._looked_for: list[RunId] = []

    @property
    def active(self) -> bool:
        """Whether there ever was a limit."""
        return self.book.version > 0

    @property
    def concerned(self) -> bool:
        """Whether there is anything to write: there ever was a limit, or this transaction sets the first."""
        return self.active or bool(self.changed)

    def reserve(self, keys: Iterable[str]) -> None:
        """Count what is about to be appended."""
        self._reserved.update(keys)

    def row(self, key: str) -> CapacityRow:
        """The row of a limit, with what this transaction did and reserves."""
        stored, limit = super().row(key), self.book.limits.get(key)
        in_use = stored.in_use + self._delta[key] + self._reserved[key]
        tokens = self._tokens[key] + self._reserved[key]
        if limit is None or limit.rate is None or not tokens:
            return CapacityRow(key, in_use, stored.level, stored.refilled_ms)
        bucket = taken(limit.rate, Bucket(stored.level, stored.refilled_ms), self._now_ms, tokens)
        return CapacityRow(key, in_use, bucket.level, bucket.at_ms)

    @contextmanager
    def counting(self, run: Run, events: Sequence[Event]) -> Iterator[None]:
        """Count what appending *events* changes: what the run uses is compared, so that nothing can leak."""
        before = usage_of(run)
        try:
            yield
        finally:  # also when it is refused, because only a newer version may continue the run
            self._reserved.clear()
        self._delta.update(usage_of(run))
        self._delta.subtract(before)
        for event in events:
            self._tokens.update(tokens_taken(run, event))

    def offers_of(self, run: RunId) -> list[Due]:
        """The run itself, when a limit that it waits for has room."""
        tenant = self._tenant
        places = [(line, due) for line, due in self.places_of(run) if due <= self._now_ms]
        return [
            Due(run, Tenant.parse(line.tenant), due, run)
            for line, due in places
            if self.allowed_ms((line.limit_key,), due) == due and (tenant is None or str(tenant) == line.tenant)
        ][:1]

    def sought(self, handlers: Container[str] | None, run: RunId | None, most: int) -> list[RunId]:
        """The oldest waiters of each line (or only *run*) that limits keep from a worker, at most *most* of each: not
        those that wait for an operator."""
        if run is not None:
            return [run] if any(due <= self._now_ms for _, due in self.places_of(run)) else []
        rooms = ((text, self.room((line.limit_key,))) for text, line in self.lines(self._tenant, handlers))
        return [
            RunId(waiter)
            for text, room in rooms
            if room.full and not room.stopped
            for due, _, waiter in self._oldest_of(text, most)
            if due <= self._now_ms
        ][:MOST_SOUGHT]

    def unexpected(self, runs: Iterable[RunId]) -> list[RunId]:
        """Those of *runs* that nobody looked for just now."""
        return self._expected.stale(runs)

    def expect(self, runs: Iterable[RunId]) -> None:
        """Let others know that these are looked for."""
        self._looked_for += runs

    def flush_expected(self) -> bool:
        """Write who is looked for; whether there is anybody."""
        if self._looked_for:
            self._expected.put(self._looked_for)
        return bool(self._looked_for)

    def bring_waiters(self, run: str, rows: Sequence[WaiterRow]) -> None:
        """Put a run where its state says that it stands."""
        if self.active:
            self.replace_waiters(run, rows)

    def flush(self, committer: "Committer") -> None:
        """Write the rows that this transaction changed; a limit that is new counts what is running."""
        for key in (self._delta + self._tokens).keys() | {key for key, n in self._delta.items() if n}:
            if key in self.book.limits:
                self.put(self.row(key))
        self._delta.clear()
        self._tokens.clear()
        if not self.changed:
            return
        before = self.book
        committer.read_limits()
        self.book = committer.limit_book
        running: Counter[str] | None = None
        for key in dict.fromkeys(self.changed):
            if (limit := self.book.limits.get(key)) is None:
                self.remove(key)
                continue
            row = super().row(key)
            if key not in before.limits:
                running = running_now(committer) if running is None else running
                row = row._replace(in_use=running[key])
            if before.anew.get(key) != self.book.anew[key]:
                bucket = full_bucket(limit.rate, self._now_ms)
                row = row._replace(level=bucket.level, refilled_ms=bucket.at_ms)
            self.put(row)


def running_now(committer: "Committer") -> Counter[str]:
    """What all claimed runs use together."""
    used: Counter[str] = Counter()
    for run in committer.agenda.claimed_runs():
        entry = committer.states.readable(run)
        if entry is not None and isinstance(entry.state, Run):
            used.update(usage_of(entry.state))
    return used
