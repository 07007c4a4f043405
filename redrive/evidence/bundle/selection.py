"""What goes into a bundle: the events that were asked for, and those that they need to be projected again."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from redrive.domain.errors import InvalidValue, NotFound
from redrive.domain.identity import FlowDigest, PolicyId, Tenant, flow_stream_of, policy_stream_of
from redrive.domain.values import JsonValue, clean_name
from redrive.evidence.log_store import LogEvidence
from redrive.evidence.store import StoredCheckpoint, StoredRow
from redrive.ledger.limit_book import LIMITS_STREAM
from redrive.ledger.mapper import tenant_named
from redrive.ledger.readable import ReadableLog

PAGE = 1_000
_NAMED = re.compile(rb'"(flow|policy|classifier)":"([0-9A-Za-z._:/-]{1,200})"')


@dataclass(frozen=True)
class Selection:
    """What to export: *told* says it in words of the bundle. The leaves *first* to before *end* follow one another;
    *singles* are positions of others, in order; beside a range, they are what it needs of what came before."""

    told: dict[str, JsonValue]
    singles: Sequence[int] = ()
    first: int = 0
    end: int = 0

    @property
    def entries(self) -> int:
        """How many events that are."""
        return len(self.singles) + self.end - self.first


@dataclass
class Needed:
    """Names that events use, of flows and policies of their tenants."""

    streams: set[str] = field(default_factory=set)
    _seen: set[tuple[str, bytes]] = field(default_factory=set)

    def learn(self, row: StoredRow) -> None:
        """Whatever the event in *row* names."""
        state, tenant = row[4], row[5]
        if not isinstance(state, bytes) or not isinstance(tenant, str):
            return
        for match in _NAMED.finditer(state):
            if (tenant, match[0]) not in self._seen:
                self._seen.add((tenant, match[0]))
                self.streams.add(_stream_of(tenant_named(tenant), match[1], match[2].decode()))


def _stream_of(tenant: Tenant, kind: bytes, name: str) -> str:
    return flow_stream_of(tenant, FlowDigest(name)) if kind == b"flow" else policy_stream_of(tenant, PolicyId(name))


def select_run(source: LogEvidence, log: ReadableLog, sealed: StoredCheckpoint, run: str) -> Selection:
    """Every event of a run, of its effects, dead letters and compensations, with what they name; given the id of one of
    these, of the run that it belongs to. Raises NotFound."""
    run = _belonging(log, clean_name(run, "run"))
    positions, tenants, needed, after = set[int](), set[str](), Needed(), 0
    while found := log.correlated(run, after, PAGE):
        after = found[-1].position
        positions |= {event.position for event in found if event.position <= sealed.position}
        for row in rows_at(source, sorted({event.position for event in found})):
            needed.learn(row)
            tenants.add(str(row[5]))
    if not positions:  # it began after the last seal
        raise NotFound("run", run)
    last = max(positions)
    positions |= _positions(log, needed.streams, last)
    positions |= {
        event.position
        for event in log.stream(LIMITS_STREAM)
        if event.position < last and str(event.tenant) in {*tenants, str(Tenant())}
    }
    return Selection({"run": run}, sorted(positions))


def _belonging(log: ReadableLog, id_: str) -> str:
    """What the events of a run, or of something within one, have in common. Raises NotFound."""
    if log.correlated(id_, 0, 1):
        return id_
    if found := log.stream(id_):
        return found[0].correlation
    raise NotFound("run", id_)


def select_positions(
    source: LogEvidence, log: ReadableLog, sealed: StoredCheckpoint, first: int, last: int
) -> Selection:
    """Every event from position *first* to *last*, with what they name of what came before. Raises InvalidValue."""
    for value in (first, last):
        if type(value) is not int or not 1 <= value <= sealed.position:
            raise InvalidValue("positions", value, f"positions from 1 to {sealed.position}, the last that is sealed")
    begin, end = index_from(source, sealed.size, first), index_from(source, sealed.size, last + 1)
    if first > last or begin == end:
        raise InvalidValue("positions", f"{first}..{last}", "a range that holds an event, as in 100..200")
    return _range(source, log, begin, end, {"positions": [first, last]})


def select_since(source: LogEvidence, log: ReadableLog, sealed: StoredCheckpoint, size: int) -> Selection:
    """Every event beyond the first *size* leaves, with what they name of what came before. Raises InvalidValue."""
    if size >= sealed.size:
        raise InvalidValue("since", size, f"a checkpoint of fewer leaves than the last one, which has {sealed.size}")
    return _range(source, log, size, sealed.size, {"since": size})


def _range(source: LogEvidence, log: ReadableLog, begin: int, end: int, told: dict[str, JsonValue]) -> Selection:
    first = position_of(source, begin)
    singles: set[int] = set()
    if begin:
        needed = Needed()
        for row in rows_of(source, begin, end):
            needed.learn(row)
        singles = _positions(log, {*needed.streams, LIMITS_STREAM}, first)
    if end - begin == 1:
        return Selection(told, sorted({*singles, first}))
    return Selection(told, sorted(singles), begin, end)


def _positions(log: ReadableLog, streams: Iterable[str], before: int) -> set[int]:
    return {event.position for stream in streams for event in log.stream(stream) if event.position < before}


def position_of(source: LogEvidence, index: int) -> int:
    """The position of a leaf that there is."""
    (found,) = source.leaves(index, 1)
    return found[1]


def index_from(source: LogEvidence, size: int, position: int) -> int:
    """The first of *size* leaves whose position is *position* or beyond; *size* when there is none."""
    guess = position - 1  # where the log has no gaps
    if 0 <= guess < size and position_of(source, guess) == position:
        return guess
    low, high = 0, min(size, position)
    while low < high:
        middle = (low + high) // 2
        if position_of(source, middle) < position:
            low = middle + 1
        else:
            high = middle
    return low


def rows_of(source: LogEvidence, begin: int, end: int) -> Iterator[StoredRow]:
    """The rows of leaves *begin* to before *end*, as long as there are any."""
    left = end - begin
    after = position_of(source, begin) - 1 if left else 0
    while left and (rows := source.rows_after(after, min(PAGE, left))):
        yield from rows
        after, left = rows[-1][0], left - len(rows)


def rows_at(source: LogEvidence, positions: Sequence[int]) -> Iterator[StoredRow]:
    """The rows at *positions*, which ascend; those that follow one another are read together."""
    at = 0
    while at < len(positions):
        stop = at + 1
        while stop < len(positions) and stop - at < PAGE and positions[stop] == positions[stop - 1] + 1:
            stop += 1
        yield from source.rows_after(positions[at] - 1, stop - at)
        at = stop
