"""Reads a bundle once, from its first byte to its last, and checks all that it can show by itself."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from redrive.domain.errors import InvalidValue
from redrive.domain.values import JsonValue
from redrive.evidence.bundle.archive import MANIFEST, Member, broken, canonical_line, checked_manifest, members
from redrive.evidence.bundle.contents import Contents, named_keys, read_contents
from redrive.evidence.bundle.entries import Entry, entry_of, require_own
from redrive.evidence.bundle.proofs import Span, read_consistency, read_range, read_single
from redrive.evidence.merkle import is_consistent, is_included
from redrive.evidence.notes import Checkpoint, Note, Verifier, parse_checkpoint, parse_note

MOST_LINE = 64 << 20
MOST_MANIFEST = 64 << 20
MOST_FILE = 4 << 20
NEEDED = ("VERIFY.md", "bundle.json", "checkpoint", "policy.json", "verify.py")


@dataclass
class Found:
    """What a bundle holds, every part of it in agreement with every other. *gaps*: versions of a stream between which
    others are missing. *left_out* counts entries without a state, *begun_before* streams whose beginning is not there,
    *singles* and *spans* count proofs."""

    contents: Contents
    note: Note
    checkpoint: Checkpoint
    since: Checkpoint | None = None
    entries: int = 0
    singles: int = 0
    spans: int = 0
    left_out: int = 0
    begun_before: int = 0
    recorded_ms: tuple[int, int] = (0, 0)
    last_position: int = 0
    last_leaf: int = -1
    gaps: list[str] = field(default_factory=list)


def read_bundle(file: BinaryIO, take: Callable[[Entry], None] | None = None) -> Found:
    """Read and check the bundle in *file*; *take* is given every entry in log order, before it is known whether all of
    it is sound. Raises InvalidValue when it is not."""
    reading = _Reading(take)
    for member in members(file):
        reading.read(member)
        member.end()
        if member.name != MANIFEST:
            reading.files[member.name] = {"sha256": member.digest, "size": member.size}
    return reading.finished()


class _Reading:
    def __init__(self, take: Callable[[Entry], None] | None) -> None:
        self._take = take
        self.files: dict[str, JsonValue] = {}
        self._contents: Contents | None = None
        self._raw = b""
        self._found: Found | None = None
        self._consistency: list[bytes] | None = None
        self._keys: list[Verifier] = []
        self._leaves: dict[int, bytes] = {}
        self._spans: dict[int, Span] = {}
        self._open: list[tuple[int, int]] = []
        self._chunks = 0
        self._last = (-1, 0)
        self._streams: dict[str, int] = {}

    def read(self, member: Member) -> None:
        """Read one file, whose place among the others is right."""
        folder, _, rest = member.name.partition("/")
        read = _READERS.get(member.name if not rest else f"{folder}/")
        if read is None:
            broken(f"{member.name} is no file of a bundle")
        read(self, member)

    def finished(self) -> Found:
        """What was found, when nothing lacks. Raises InvalidValue."""
        if missing := [name for name in NEEDED if name not in self.files]:
            broken(f"{missing[0]} is missing")
        found = self._of_tree()
        if self._leaves or self._spans:
            broken(f"leaf {min([*self._leaves, *self._spans])} has no proof")
        if found.spans != len(found.contents.ranges):
            broken("a range has no leaves")
        if not found.entries or found.entries != found.contents.entries:
            broken(f"it holds {found.entries} entries, and says {found.contents.entries}")
        if (found.since is None) != (self._consistency is None):
            broken("half a consistency proof is there")
        if found.since is not None and not _grew(found.since, found.checkpoint, self._consistency or []):
            broken(f"the tree is not a later form of that with {found.since.size} leaves")
        if self._keys and not sum(signed_by(found.note, key) for key in self._keys):
            broken("none of the keys of its policy signed the checkpoint")
        return found

    def facts(self, member: Member) -> None:
        """Read bundle.json."""
        self._contents = read_contents(member.read(MOST_FILE))
        self._open = [(first, first + count) for first, count in self._contents.ranges]

    def checkpoint(self, member: Member) -> None:
        """Read checkpoint."""
        self._raw = member.read(MOST_FILE)
        if self._contents is None:
            broken("bundle.json is missing")
        note = parse_note(self._raw)
        checkpoint, contents = parse_checkpoint(note.text), self._contents
        lines = note.text.split("\n")
        if (lines[0], checkpoint.size, lines[2]) != (contents.origin, contents.size, contents.root):
            broken("bundle.json and the checkpoint are about different trees")
        self._found = Found(contents, note, checkpoint)

    def since(self, member: Member) -> None:
        """Read since.checkpoint."""
        self._of_tree().since = parse_checkpoint(parse_note(member.read(MOST_FILE)).text)

    def consistency(self, member: Member) -> None:
        """Read consistency.proof."""
        self._consistency = read_consistency(member.read(MOST_FILE))

    def policy(self, member: Member) -> None:
        """Read policy.json."""
        policy = document_of(member.read(MOST_FILE), member.name)
        self._keys = [Verifier.parse(key) for key in named_keys(policy)]

    def entries(self, member: Member) -> None:
        """A file of entries."""
        found = self._of_tree()
        if member.name != f"entries/{self._chunks:06}.jsonl":
            broken(f"{member.name} is not the file of entries that comes next")
        self._chunks += 1
        for line in member.lines(MOST_LINE):
            entry = entry_of(line)
            self._place(found, entry)
            if entry.state is None:
                found.left_out += 1
            else:
                require_own(entry)
            self._keep(entry)
            if self._take is not None:
                self._take(entry)

    def proof(self, member: Member) -> None:
        """A .tlog-proof."""
        tree = self._of_tree().checkpoint
        index, hashes = read_single(member.read(MOST_FILE), self._raw)
        leaf = self._leaves.pop(index, None)
        if leaf is None or member.name != f"proofs/{index:020}.tlog-proof":
            broken(f"{member.name} proves nothing that is there")
        if not is_included(leaf, index, tree.size, hashes, tree.root):
            broken(f"leaf {index} is not in the tree of the checkpoint")
        self._of_tree().singles += 1

    def span(self, member: Member) -> None:
        """A range proof."""
        found = self._of_tree()
        first, end, hashes = read_range(member.read(MOST_FILE))
        span = self._spans.pop(first, None)
        if span is None or span.end != end or member.name != f"ranges/{first:020}.range-proof":
            broken(f"{member.name} proves nothing that is there")
        if (first, end - first) not in found.contents.ranges:
            broken(f"leaves are missing in the range from {first} on")
        if span.root(found.checkpoint.size, hashes) != found.checkpoint.root:
            broken(f"leaves {first} to {end - 1} are not those of the checkpoint")
        found.spans += 1

    def script(self, member: Member) -> None:
        """What is for people, or for another program."""
        member.read(MOST_FILE)

    def manifest(self, member: Member) -> None:
        """Read manifest.json."""
        checked_manifest(member.read(MOST_MANIFEST), self.files)

    def _of_tree(self) -> Found:
        if self._found is None:
            broken("the checkpoint is missing")
        return self._found

    def _place(self, found: Found, entry: Entry) -> None:
        if not (entry.leaf_index > self._last[0] and entry.position > max(self._last[1], entry.leaf_index)):
            broken(f"position {entry.position}, leaf {entry.leaf_index}, does not follow {self._last}")
        self._last = entry.leaf_index, entry.position
        if not entry.topic.startswith("engine."):
            first = 0 if found.contents.run is not None else entry.version - 1
            before = self._streams.get(entry.stream, first)
            found.begun_before += entry.stream not in self._streams and entry.version > 1
            if entry.version != before + 1:
                found.gaps.append(f"{entry.stream} goes from version {before} to {entry.version}")
            self._streams[entry.stream] = entry.version
        low, high = found.recorded_ms if found.entries else (entry.recorded_at_ms, entry.recorded_at_ms)
        found.recorded_ms = min(low, entry.recorded_at_ms), max(high, entry.recorded_at_ms)
        found.last_position, found.last_leaf = entry.position, entry.leaf_index
        found.entries += 1

    def _keep(self, entry: Entry) -> None:
        while self._open and entry.leaf_index >= self._open[0][1]:
            self._open.pop(0)
        if not self._open or entry.leaf_index < self._open[0][0]:
            self._leaves[entry.leaf_index] = entry.leaf
            return
        first = self._open[0][0]
        span = self._spans.setdefault(first, Span(first))
        if entry.leaf_index != span.end:
            broken(f"leaf {span.end} of a range is missing")
        span.append(entry.leaf)


_READERS: dict[str, Callable[[_Reading, Member], None]] = {
    "VERIFY.md": _Reading.script,
    "bundle.json": _Reading.facts,
    "checkpoint": _Reading.checkpoint,
    "consistency.proof": _Reading.consistency,
    "entries/": _Reading.entries,
    MANIFEST: _Reading.manifest,
    "policy.json": _Reading.policy,
    "proofs/": _Reading.proof,
    "ranges/": _Reading.span,
    "since.checkpoint": _Reading.since,
    "verify.py": _Reading.script,
}


def signed_by(note: Note, key: Verifier) -> bool:
    """Whether *key* signed *note*. Raises InvalidValue when a signature of that name and id is not the key's."""
    mine = [one.data for one in note.signatures if (one.name, one.key_id) == (key.name, key.key_id)]
    if not all(key.verifies(note.text, data) for data in mine):
        broken(f"the signature of {key.name} is not over this checkpoint")
    return bool(mine)


def document_of(data: bytes, name: str) -> dict[str, Any]:
    """A JSON object in the one form in which a bundle has it. Raises InvalidValue."""
    try:
        found = json.loads(data)
        if not isinstance(found, dict) or canonical_line(found) != data:
            broken(f"{name} is not canonical JSON")
    except (ValueError, RecursionError) as error:
        if isinstance(error, InvalidValue):
            raise
        broken(f"{name} cannot be read ({error})")
    return found


def _grew(old: Checkpoint, new: Checkpoint, proof: list[bytes]) -> bool:
    return old.origin == new.origin and is_consistent(old.size, old.root, new.size, new.root, proof)
