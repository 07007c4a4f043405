"""The scan of a log: every row against its leaf, every leaf against the tree, every checkpoint against the rows."""

from collections.abc import Callable, Iterator, Sequence
from math import inf

from redrive.domain.errors import ArchiveUnreadable
from redrive.evidence.ahead import Ahead, nothing
from redrive.evidence.clocks import MOST_PLACES, Clocks, Floor
from redrive.evidence.columns import differing_column, doubtful, is_id_of
from redrive.evidence.leaves import leaf_of_row, leaves_of
from redrive.evidence.log_store import LogEvidence
from redrive.evidence.merkle import HASH_BYTES, TILE_WIDTH, Frontier, TiledTree, TreeDamaged, is_included
from redrive.evidence.report import Finding
from redrive.evidence.store import Archived, StoredCheckpoint, StoredRow
from redrive.evidence.stretches import CHUNK, Expected, Sound, expected_of, stretches

MOST_FINDINGS = 100
MOST_BETWEEN = 16 * CHUNK


class Scan:
    """One pass over the log up to checkpoint *last*. *roots* are those that the rows lead to, at the sizes asked for;
    *read_to* is the last position that it read, *unread* why a state could not be read from its archive. *ahead* spares
    it the reading of what another process has found sound.

    Where row and tree differ, an inclusion proof from the other tiles tells which of them is the one that was sealed;
    the scan goes on with that one, so that what follows can still be judged.
    """

    def __init__(
        self,
        store: LogEvidence,
        last: StoredCheckpoint,
        sizes: Sequence[int],
        look_at_note: Callable[[StoredCheckpoint], str | None],
        floors: Sequence[Floor] = (),
        ahead: Ahead = nothing,
    ) -> None:
        self._store, self._last, self._look_at_note = store, last, look_at_note
        self._ahead = ahead
        self._tiles = TiledTree(store.tile)
        self.size, self.read_to = last.size, last.position
        self._wanted = sorted({size for size in sizes if 0 <= size <= last.size}, reverse=True)
        self._frontier = Frontier()
        self._upper: dict[int, int] = {}
        self.roots: dict[int, bytes] = {}
        self.findings: list[Finding] = []
        self.finding_count = 0
        self.first_bad: int | None = None
        self._good = [0]
        self.matched = self.checkpoints = self.archived = self.uncompared = self.unsealed = 0
        self.unread = ""
        self.clocks = Clocks(floors)
        self.unsealed_since_ms: int | None = None
        self._previous = 0
        self._points = self._each_checkpoint()
        self._point = next(self._points, None)

    @property
    def last_good_size(self) -> int:
        """The size of the last checkpoint that lies before everything that was found."""
        return max((size for size in self._good if self.first_bad is None or size <= self.first_bad), default=0)

    def run(self) -> None:
        """Read the log once, from its beginning to its end."""
        self._look_before_the_first()
        self._reach(0)
        after = 0
        for start, count in stretches(self.size):
            del self._good[:-1]  # columns are compared after the checkpoints of their stretch
            sound = self._ahead(start)
            if sound is not None and self._takes(sound, after, count):
                self.matched += count
                self._append_all(sound.hashes)
                after = sound.last
                continue
            expected = expected_of(self._store, start, count)
            if isinstance(expected, str):
                self._find("tile", expected, start)
                break
            self._judge(expected, self._rows_between(after, expected))
            after = max(after, *expected.positions)
        if self._frontier.size != self._last.size:
            self._find("checkpoint", f"the tree has {self._frontier.size} leaves, its checkpoint {self._last.size}")
        leaves, newest = (
            self._store.leaf_count(),
            self._store.last() or self._last,
        )  # a sealer may have gone on meanwhile
        if not self._last.size <= leaves <= max(self._last.size, newest.size):
            self._find("checkpoint", f"there are leaves beyond the last checkpoint: {leaves}")
        self._look_at_the_rest(max(after, self._last.position))

    def _takes(self, sound: Sound, after: int, count: int) -> bool:
        """Whether a stretch that another process has found sound goes on from here."""
        if sound.after != after or len(sound.hashes) != count:
            return False
        return self.clocks.follow(sound.first_ms, sound.last_ms, sound.last)

    def _look_before_the_first(self) -> None:
        """Logs are read from position 1 on, but streams would be read from there as well."""
        for row in self._store.rows_after(-inf, MOST_PLACES):
            if row[0] < 1:
                self._find("row", "a row lies before the first position: it was never sealed", 0, row)

    def _find(
        self, kind: str, what: str, leaf: int | None = None, row: StoredRow | None = None, **more: object
    ) -> None:
        self.finding_count += 1
        if leaf is not None and (self.first_bad is None or leaf < self.first_bad):
            self.first_bad = leaf
        if len(self.findings) < MOST_FINDINGS:
            named = {} if row is None else {"position": row[0], "stream": str(row[1]), "version": _whole(row[2])}
            self.findings.append(Finding.model_validate({"kind": kind, "what": what, "leaf": leaf, **named, **more}))

    def _each_checkpoint(self) -> Iterator[StoredCheckpoint]:
        after = 0
        while page := self._store.checkpoints(after, 1_000):
            yield from (point for point in page if point.size <= self._last.size)
            after = page[-1].size

    def _rows_between(self, after: int, expected: Expected) -> list[StoredRow]:
        """The rows beyond *after*, up to the last position of a stretch."""
        last, found = max(expected.positions), list[StoredRow]()
        while True:
            page = self._store.rows_after(after, len(expected.positions))
            found += page if page and page[-1][0] <= last else [row for row in page if row[0] <= last]
            if len(page) < len(expected.positions) or page[-1][0] >= last:
                return found
            after = page[-1][0]
            if len(found) > MOST_BETWEEN:  # a position was changed so that all of the log lies below it
                self._find("tile", "far more rows than leaves lie between the positions of leaves", expected.start)
                return found

    def _judge(self, expected: Expected, rows: list[StoredRow]) -> None:
        leaves: list[bytes | None]
        if [row[0] for row in rows] == expected.positions:
            leaves = self._leaves(rows)
            by_index: Sequence[StoredRow | None] = rows
        else:
            known = {row[0]: row for row in rows}
            by_index = [known.pop(position, None) for position in expected.positions]
            leaves = [None if row is None else self._leaf(row) for row in by_index]
            for row in known.values():
                at = sum(position < row[0] for position in expected.positions)
                self._find("row", "a row that was never sealed lies among those that were", expected.start + at, row)
            if expected.positions != sorted(set(expected.positions)):
                self._find("tile", "the positions of leaves do not ascend", expected.start)
        if leaves == expected.hashes:
            self.matched += len(leaves)
            self._append_all(expected.hashes)
        else:
            for n, leaf in enumerate(leaves):
                self._append_all([self._settle(expected.start + n, leaf, by_index[n], expected, n)])
        self._look_at_columns(expected.start, by_index)

    def _leaves(self, rows: Sequence[StoredRow]) -> list[bytes | None]:
        try:
            return [*leaves_of(rows)]
        except (ValueError, TypeError):
            return [self._leaf(row) for row in rows]

    def _leaf(self, row: StoredRow) -> bytes | None:
        try:
            return leaf_of_row(row)
        except (ValueError, TypeError):
            return None

    def _settle(self, index: int, leaf: bytes | None, row: StoredRow | None, expected: Expected, n: int) -> bytes:
        """The leaf to go on with."""
        stored = expected.hashes[n]
        if leaf == stored and leaf is not None:
            self.matched += 1
            return leaf
        if leaf is not None and self._is_sealed(index, leaf):
            self.matched += 1
            self._find("tile", "the tree holds another hash than the one that was sealed", None, row)
            return leaf
        exact = self._is_sealed(index, stored)
        if row is None:
            what, more = "a sealed row is gone", {"position": expected.positions[n], "exact": exact}
            self._find("row", what, index, None, **more)
        else:
            self._find("row", "a sealed row was changed", index, row, exact=exact)
        return leaf or (stored if len(stored) == HASH_BYTES else bytes(HASH_BYTES)) if not exact else stored

    def _is_sealed(self, index: int, leaf: bytes) -> bool:
        """Whether the last checkpoint's root vouches for *leaf*, by the tiles that it is not itself in."""
        if self.finding_count > MOST_FINDINGS:  # a log that was rewritten: the first ones are what matters
            return False
        try:
            proof = self._tiles.inclusion(index, self._last.size)
        except TreeDamaged:
            return False
        return is_included(leaf, index, self._last.size, proof, self._last.root)

    def _append_all(self, leaves: Sequence[bytes]) -> None:
        at = 0
        while at < len(leaves):
            until = self._next_size()
            some = leaves[at : at + until - self._frontier.size]
            at += len(some)
            self._look_at_tiles(self._frontier.extend(some))
            if self._frontier.size == until:
                self._reach(until)

    def _look_at_tiles(self, upper: Sequence[tuple[int, bytes]]) -> None:
        """The roots of complete subtrees, against the tiles of the upper levels."""
        for level, node in upper:
            count = self._upper.get(level, 0)
            self._upper[level] = count + 1
            tile, offset = divmod(count, TILE_WIDTH)
            if self._store.tile(level, tile)[offset * HASH_BYTES : (offset + 1) * HASH_BYTES] != node:
                first = count << 8 * level
                what = (
                    f"leaves {first} to {first + (1 << 8 * level) - 1} lead to another hash than tile {tile} of level "
                )
                self._find("tile", f"{what}{level} holds")

    def _next_size(self) -> int:
        size = self._point.size if self._point is not None else self._last.size + 1
        return min(size, self._wanted[-1]) if self._wanted else size

    def _reach(self, size: int) -> None:
        """The rows so far are *size* leaves, which somebody has a root for."""
        if self._wanted and self._wanted[-1] == size:
            self._wanted.pop()
            self.roots[size] = self._frontier.root()
        if self._point is not None and self._point.size == size:
            self._look_at_checkpoint(self._point)
            self._point = next(self._points, None)

    def _look_at_checkpoint(self, point: StoredCheckpoint) -> None:
        self.checkpoints += 1
        if point.previous_size != self._previous:
            self._find("checkpoint", f"checkpoint {point.size} does not follow {self._previous}: one between is gone")
        self._previous = point.size
        if (why := self._look_at_note(point)) is not None:
            self._find("checkpoint", f"checkpoint {point.size}: {why}")
        if [(point.size - 1, point.position)] != list(self._store.leaves(point.size - 1, 1)):
            self._find("checkpoint", f"checkpoint {point.size} names another position than its last leaf")
        if self._frontier.root() != point.root:
            self._find("checkpoint", f"the log does not lead to the root of checkpoint {point.size}")
        elif self.first_bad is None:
            self._good.append(point.size)

    def _look_at_columns(self, start: int, rows: Sequence[StoredRow | None]) -> None:
        for n, floor in self.clocks.look(rows):
            what = f"the event claims a time earlier than {floor.name}, which it lies beyond, allows: backdated"
            self._find("row", what, start + n, rows[n])
        for n in doubtful(rows):
            row = rows[n]
            if row is None:
                continue
            _, _, _, _, state, tenant, correlation, _ = row
            if type(state) is Archived:
                self.archived += 1
                state = self._state_in_archive(start + n, row)
                if state is None:
                    continue
            try:
                column = differing_column(state, tenant, correlation)
            except (ValueError, TypeError, AttributeError):
                self.uncompared += 1
                continue
            if column is not None:
                self._find("column", f"the column {column} is not what the event's envelope says", start + n, row)

    def _state_in_archive(self, leaf: int, row: StoredRow) -> bytes | None:
        """The state of an archived row; None when it cannot be read, which is told."""
        try:
            state, event_id = self._store.archived_state(row[0])
        except ArchiveUnreadable as error:
            if error.changed:
                self._find("archive", "the archive holds another state than the one that was sealed", leaf, row)
            self.unread = self.unread or str(error)
            return None
        if not is_id_of(state, event_id):
            self._find("column", "the id that is kept of an archived event is not its own", leaf, row)
        return state

    def _look_at_the_rest(self, after: int) -> None:
        """What is not sealed yet."""
        while rows := self._store.rows_after(after, CHUNK):
            if self.unsealed_since_ms is None:
                self.unsealed_since_ms = _whole(rows[0][7])
            self.unsealed += len(rows)
            begin = self._last.size + self.unsealed - len(rows)
            for n, row in enumerate(rows):
                if self._leaf(row) is None:
                    self._find("row", "a row is not what a ledger writes: it cannot be sealed", begin + n, row)
            self._look_at_columns(begin, rows)
            after = self.read_to = rows[-1][0]


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
