"""Sealing: hash what is new, check what is there, write and sign a checkpoint.

Rows are read and hashed outside of any transaction. One short transaction then writes leaves, tiles and checkpoint,
after it has made sure that nobody sealed in between; so a crash leaves all of a seal, or nothing.
"""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from redrive.domain.errors import InvalidValue, SealRefused
from redrive.evidence.keys import KeyFile
from redrive.evidence.leaves import leaves_of
from redrive.evidence.log_store import LogEvidence
from redrive.evidence.merkle import HASH_BYTES, TILE_WIDTH, Frontier, TiledTree, TileReader, TreeDamaged
from redrive.evidence.notes import Checkpoint, Note, parse_checkpoint, parse_note, signed, verified_by
from redrive.evidence.pins import PinFile
from redrive.evidence.store import Addition, Outrun, StoredCheckpoint, StoredRow

MOST_PER_CHECKPOINT = 4_096
MOST_OUTRUN = 100


class _Sealed(NamedTuple):
    last: StoredCheckpoint | None
    more: bool


def origin_of(ledger_id: str) -> str:
    """The first line of every checkpoint of a log."""
    return f"redrive/{ledger_id}"


class Sealing:
    """Seals one log. Any number of processes may do so at a time: each goes on from what the others wrote."""

    def __init__(
        self, store: LogEvidence, *, origin: str, clock: Callable[[], int], keys: KeyFile, pin: PinFile | None
    ) -> None:
        self._store, self._keys, self._pin = store, keys, pin
        self._origin, self._clock = origin, clock
        self._lock = threading.Lock()
        self._mine = ""
        self._written = ("", Note(""))
        self._edge: tuple[Frontier, Mapping[tuple[int, int], bytes]] = (Frontier(), {})
        self._seen: StoredCheckpoint | None = None  # the last that this process wrote, or found sound

    def seal(self) -> StoredCheckpoint | None:
        """Seal every event there is; the checkpoint that covers them, None while the log is empty.

        Raises SealRefused when tree, checkpoint and pin disagree, StorageError.
        """
        with self._lock:
            for _ in range(MOST_OUTRUN):
                with contextlib.suppress(Outrun):
                    while (sealed := self._seal_some()).more:
                        pass
                    return sealed.last
        raise SealRefused("other processes seal this log faster than this one can: leave it to them")

    def _seal_some(self) -> "_Sealed":
        """Write one checkpoint, if there is anything to seal. Raises Outrun, SealRefused."""
        pinned = self._pin.read() if self._pin else None  # before the tree: what is pinned was in it by then
        last = self._store.last()
        self._require_forward(last)
        rows = self._store.leaf_rows_after(last.position if last else 0, MOST_PER_CHECKPOINT)
        if not rows and self._is_known(last, pinned):
            return _Sealed(last, more=False)
        tile = cache(self._store.tile)  # what was found sound is what is gone on from
        try:
            frontier = self._checked(last, pinned, tile)
        except SealRefused:
            if self._store.last() != last:
                raise Outrun from None  # it was looked at while another sealer wrote
            raise
        if rows:
            last = self._add(last, frontier, rows, tile)
        else:
            self._store.make_durable()  # another process wrote it: what is pinned or handed over must outlive a crash
        self._settled(last)
        return _Sealed(last, more=bool(rows))

    def _is_known(self, last: StoredCheckpoint | None, pinned: Checkpoint | None) -> bool:
        """Whether this process has found sound what is there, and pinned it."""
        if last is None:
            return pinned is None
        if self._pin is not None and (pinned is None or (pinned.size, pinned.root) != (last.size, last.root)):
            return False
        return last.note == self._mine

    def _require_forward(self, last: StoredCheckpoint | None) -> None:
        size, greatest = last.size if last else 0, self._seen.size if self._seen else 0
        if size < greatest:
            raise SealRefused(f"the tree went back from {greatest} leaves to {size} while this process had it open")

    def _settled(self, last: StoredCheckpoint | None) -> None:
        """Remember what was written or found sound, and pin it."""
        if last is None:
            return
        self._mine, self._seen = last.note, last
        if self._pin is not None:
            self._pin.advance(last.note)

    def _checked(self, last: StoredCheckpoint | None, pinned: Checkpoint | None, tile: TileReader) -> Frontier:
        """The tree's right edge. Raises SealRefused when what is stored, or pinned, disagrees."""
        size = last.size if last else 0
        tree = TiledTree(tile)
        try:
            frontier = self._known_frontier(last, tile) or tree.frontier(size)
            pinned_root = None
            if last is not None and last.note != self._mine:
                self._require_continued(tree)
            if pinned is not None and pinned.size <= size:
                pinned_root = frontier.root() if pinned.size == size else tree.root(pinned.size)
        except TreeDamaged as damaged:
            raise SealRefused(f"{damaged}: run redrive verify") from None
        if last is not None:
            self._require_sound(last, frontier)
        if (leaves := self._store.leaf_count()) != size:
            raise SealRefused(f"the tree has {leaves} leaves, its last checkpoint {size}")
        if pinned is not None:
            self._require_pinned(pinned, size, pinned_root)
        return frontier

    def _require_continued(self, tree: TiledTree) -> None:
        """What others sealed goes on from what this process saw."""
        if (seen := self._seen) is not None and tree.root(seen.size) != seen.root:
            raise SealRefused(
                f"the log was rewritten while this process had it open: its first {seen.size} leaves are others"
            )

    def _known_frontier(self, last: StoredCheckpoint | None, tile: TileReader) -> Frontier | None:
        """The right edge as this process left it, when every tile that it follows from still is what was written."""
        known, edge = self._edge
        if last is None or last.note != self._mine or known.size != last.size:
            return None
        return known.copy() if all(tile(*at) == hashes for at, hashes in edge.items()) else None

    def _remember_edge(self, frontier: Frontier, tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Remember the right edge, with the tiles that are not full: it follows from them."""
        before, edge = self._edge[1], dict[tuple[int, int], bytes]()
        level, count = 0, frontier.size
        while count:
            tile, offset = divmod(count, TILE_WIDTH)
            hashes = tiles.get((level, tile)) or before.get((level, tile))
            if offset and hashes is None:
                self._edge = (Frontier(), {})
                return
            if offset and hashes is not None:
                edge[level, tile] = hashes
            level, count = level + 1, tile
        self._edge = (frontier, edge)

    def _require_sound(self, last: StoredCheckpoint, frontier: Frontier) -> None:
        if frontier.root() != last.root:
            raise SealRefused(f"the stored tiles do not lead to the root of checkpoint {last.size}: run redrive verify")
        if last.note == self._mine:
            return
        try:
            note = parse_note(last.note)
            found = parse_checkpoint(note.text)
            verified_by(note, self._keys.verifiers())
        except InvalidValue as error:
            raise SealRefused(f"checkpoint {last.size} is not what was signed: {error}") from None
        if found != Checkpoint(self._origin, last.size, last.root):
            raise SealRefused(f"the note of checkpoint {last.size} says something else than its row")

    def _require_pinned(self, pinned: Checkpoint, size: int, root: bytes | None) -> None:
        if pinned.origin != self._origin:
            raise SealRefused(f"the pin file is of {pinned.origin}, not of {self._origin}")
        if pinned.size > size:
            raise SealRefused(
                f"the pin file knows a checkpoint of {pinned.size} leaves, the log only {size}: it was cut, or an old "
                "copy was restored"
            )
        if root != pinned.root:
            raise SealRefused(f"the log was rewritten: its first {pinned.size} leaves are not those that were pinned")

    def _add(
        self, last: StoredCheckpoint | None, frontier: Frontier, rows: Sequence[StoredRow], tile: TileReader
    ) -> StoredCheckpoint:
        size = last.size if last else 0
        try:
            tiles = _appended(frontier, rows, tile)
        except (ValueError, TypeError) as error:
            raise SealRefused(f"a row beyond leaf {size} is not what a ledger writes: {error}") from None
        root, position = frontier.root(), rows[-1][0]
        signers = self._keys.signers(self._note_of(last) if last else None)
        next_key = signers[-1].verifier if len(signers) > 1 else None
        note = signed(Checkpoint(self._origin, frontier.size, root).text(next_key), signers)
        checkpoint = StoredCheckpoint(frontier.size, size, position, root, str(note), self._clock())
        self._store.add(Addition(checkpoint, [row[0] for row in rows], tiles))
        self._remember_edge(frontier, tiles)
        self._written = (checkpoint.note, note)
        return checkpoint

    def _note_of(self, point: StoredCheckpoint) -> Note:
        """The note of a checkpoint; of the one that was written last, without reading its text again."""
        text, note = self._written
        return note if text == point.note else parse_note(point.note)


def _appended(frontier: Frontier, rows: Sequence[StoredRow], tile: TileReader) -> dict[tuple[int, int], bytes]:
    """Append the leaves of *rows*; the tiles that change, in full."""
    added: dict[int, list[bytes]] = defaultdict(list)
    counts = [frontier.size]
    while counts[-1]:
        counts.append(counts[-1] // TILE_WIDTH)
    leaves = added[0] = leaves_of(rows)
    for level, node in frontier.extend(leaves):
        added[level].append(node)
    tiles: dict[tuple[int, int], bytes] = {}
    for level, nodes in added.items():
        count = counts[level] if level < len(counts) else 0
        first, offset = divmod(count, TILE_WIDTH)
        known = tile(level, first)[: offset * HASH_BYTES] if offset else b""
        hashes = known + b"".join(nodes)
        step = TILE_WIDTH * HASH_BYTES
        for n, at in enumerate(range(0, len(hashes), step)):
            tiles[level, first + n] = hashes[at : at + step]
    return tiles
