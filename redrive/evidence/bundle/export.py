"""Writes a bundle. What is written was checked against the tree: what contradicts itself is not handed over."""

import hashlib
import platform
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from redrive import __version__
from redrive.domain.errors import InvalidValue, SealRefused
from redrive.domain.values import JsonValue
from redrive.evidence import verify
from redrive.evidence.bundle.archive import Archive, canonical_line
from redrive.evidence.bundle.contents import Contents
from redrive.evidence.bundle.entries import line_of
from redrive.evidence.bundle.proofs import Span, consistency_file, range_file, range_proof, single_file
from redrive.evidence.bundle.selection import Selection, index_from, rows_at, rows_of
from redrive.evidence.bundle.wording import instructions
from redrive.evidence.log_store import LogEvidence
from redrive.evidence.merkle import EMPTY_ROOT, TiledTree, is_included
from redrive.evidence.notes import Checkpoint, Verifier, parse_checkpoint, parse_note
from redrive.evidence.store import StoredCheckpoint, StoredRow
from redrive.ledger.schema import SCHEMA_VERSION
from redrive.projections.fold import fingerprint

CHUNK_ENTRIES = 1_000
CHUNK_BYTES = 1 << 20
PROOFS_PER_TREE = 64
_REWRITTEN = "the events at these positions are not those that were sealed: run redrive verify"


@dataclass(frozen=True)
class Since:
    """An earlier checkpoint, as it was kept."""

    note: str
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Order:
    """What to write: *sealed* is the checkpoint that proofs lead to, *keys* those of the log."""

    log: str
    sealed: StoredCheckpoint
    selection: Selection
    keys: Sequence[Verifier] = ()
    since: Since | None = None
    states: bool = True


class HashedFile:
    """Writes to *file*, and knows what was written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Write *data*."""
        self.digest.update(data)
        self.size += len(data)
        return self._file.write(data)


def parse_since(source: LogEvidence, sealed: StoredCheckpoint, given: str | bytes) -> Since:
    """The earlier checkpoint that was *given*, when the tree has grown from it. Raises InvalidValue; SealRefused
    when it has not."""
    note = parse_note(given)
    old, new = parse_checkpoint(note.text), parse_checkpoint(parse_note(sealed.note).text)
    if old.origin != new.origin or old.size > new.size:
        raise InvalidValue("since", note.text, f"a checkpoint of {new.origin}, of at most {new.size} leaves")
    root = TiledTree(source.tile).root(old.size) if old.size else EMPTY_ROOT
    if root != old.root:
        raise SealRefused(f"the log was rewritten: its first {old.size} leaves are not those of that checkpoint")
    return Since(str(note), old)


def write_bundle(source: LogEvidence, order: Order, file: HashedFile) -> None:
    """Write the bundle that was ordered. The memory that it takes does not depend on the length of a range.

    Raises SealRefused when the log is not what was sealed.
    """
    _Writer(source, order, Archive(file)).write()


class _Writer:
    def __init__(self, source: LogEvidence, order: Order, archive: Archive) -> None:
        self._source, self._order, self._archive = source, order, archive
        self._size = order.sealed.size
        self._note = order.sealed.note.encode()
        self._singles: list[tuple[int, bytes]] = []
        self._span = Span(order.selection.first)

    def write(self) -> None:
        """Every file, in the order of their names."""
        order, add = self._order, self._archive.add
        contents = self._contents()
        add("VERIFY.md", instructions(contents, order.keys).encode())
        add("bundle.json", contents.line())
        add("checkpoint", self._note)
        if order.since is not None:
            hashes = TiledTree(self._source.tile).consistency(order.since.checkpoint.size, self._size)
            add("consistency.proof", consistency_file(hashes))
        self._write_entries()
        add("policy.json", canonical_line({"keys": [str(key) for key in order.keys]}))
        self._write_singles()
        if self._span.end > self._span.first:
            self._write_range()
        if order.since is not None:
            add("since.checkpoint", order.since.note.encode())
        add("verify.py", Path(verify.__file__).read_bytes())
        self._archive.finish()

    def _contents(self) -> Contents:
        sealed, selection = self._order.sealed, self._order.selection
        whole = ((selection.first, selection.end - selection.first),) if selection.end > selection.first else ()
        return Contents(
            log=self._order.log,
            origin=parse_checkpoint(parse_note(sealed.note).text).origin,
            size=sealed.size,
            root=b64encode(sealed.root).decode(),
            selection=selection.told | ({} if self._order.states else {"states": False}),
            entries=selection.entries,
            ranges=whole,
            code=versions(),
        )

    def _write_entries(self) -> None:
        chunk, lines, n = bytearray(), 0, 0
        for index, row in self._rows():
            chunk += self._line(index, row)
            lines += 1
            if lines == CHUNK_ENTRIES or len(chunk) >= CHUNK_BYTES:
                self._archive.add(f"entries/{n:06}.jsonl", bytes(chunk))
                chunk, lines, n = bytearray(), 0, n + 1
        if chunk:
            self._archive.add(f"entries/{n:06}.jsonl", bytes(chunk))

    def _rows(self) -> Iterator[tuple[int, StoredRow]]:
        """The rows to export with their leaves, in the order of the log: a range stands after what it needs."""
        selection, n = self._order.selection, 0
        for n, row in enumerate(rows_at(self._source, selection.singles), 1):
            if row[0] != selection.singles[n - 1]:
                raise SealRefused(f"position {selection.singles[n - 1]}: {_REWRITTEN}")
            yield index_from(self._source, self._size, row[0]), row
        if n != len(selection.singles):
            raise SealRefused(f"position {selection.singles[n]}: {_REWRITTEN}")
        yield from enumerate(rows_of(self._source, selection.first, selection.end), selection.first)

    def _line(self, index: int, row: StoredRow) -> bytes:
        selection = self._order.selection
        try:
            line, leaf = line_of(row, index, states=self._order.states)
        except (ValueError, TypeError, LookupError, AttributeError):
            raise SealRefused(f"position {row[0]}: {_REWRITTEN}") from None
        if selection.first <= index < selection.end:
            self._span.append(leaf)
        else:
            self._singles.append((index, leaf))
        return line

    def _write_singles(self) -> None:
        for n, (index, leaf) in enumerate(self._singles):
            if n % PROOFS_PER_TREE == 0:
                tree = TiledTree(self._source.tile)  # which keeps every tile that it has read
            hashes = tree.inclusion(index, self._size)
            if not is_included(leaf, index, self._size, hashes, self._order.sealed.root):
                raise SealRefused(f"leaf {index}: {_REWRITTEN}")
            self._archive.add(f"proofs/{index:020}.tlog-proof", single_file(index, hashes, self._note))

    def _write_range(self) -> None:
        first, end = self._order.selection.first, self._order.selection.end
        hashes = range_proof(TiledTree(self._source.tile), first, end, self._size)
        if self._span.end != end or self._span.root(self._size, hashes) != self._order.sealed.root:
            raise SealRefused(f"leaves {first} to {end - 1}: {_REWRITTEN}")
        self._archive.add(f"ranges/{first:020}.range-proof", range_file(first, end, hashes))


def versions() -> dict[str, JsonValue]:
    """The code that writes, as far as it decides what an opened bundle shows."""
    return {
        "python": platform.python_version(),
        "redrive": __version__,
        "schema": SCHEMA_VERSION,
        "views": fingerprint(),
    }
