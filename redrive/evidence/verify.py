"""Verifies an evidence bundle of redrive, without redrive and without a network.

    python verify.py case.tar --key VERIFIER_KEY --pin FILE

One file, to be read before it is trusted: Python 3.11 or later, its standard library, and `cryptography` for
signatures. It shares no code with the program that wrote the bundle. It prints what it checked, then RESULT:
VERIFIED (exit 0): every key and pin that you gave agrees, and one of them covers every entry; without any, a bundle is
never more than self-consistent.
TAMPERED (1): something contradicts. SELF-CONSISTENT (2): nothing contradicts, and nothing from outside was asked, or
only pins that are older than an entry. STALE (3): a pin is newer than the bundle. INCOMPLETE (4): something that was
asked for is not in the bundle. Exit 64: the command line, or the file, could not be read. Keys and pins come from
anywhere but the bundle.
"""

import argparse
import base64
import hashlib
import json
import re
import struct
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

FORMAT = "redrive-bundle/v1"
EXITS = {"VERIFIED": 0, "TAMPERED": 1, "SELF-CONSISTENT": 2, "STALE": 3, "INCOMPLETE": 4}
UNREADABLE = 64
BLOCK = 512
MOST_LINE = 64 << 20
MOST_FILE = {"manifest.json": 64 << 20}
MOST_OTHER = 4 << 20
NAME = re.compile(
    r"VERIFY\.md|bundle\.json|checkpoint|consistency\.proof|entries/\d{6}\.jsonl|policy\.json"
    r"|proofs/\d{20}\.tlog-proof|ranges/\d{20}\.range-proof|since\.checkpoint|verify\.py|manifest\.json",
    re.ASCII,
)
NEEDED = ("VERIFY.md", "bundle.json", "checkpoint", "policy.json", "verify.py", "manifest.json")
COLUMNS = {"index", "kind", "originator", "position", "recorded_at_ms", "topic", "version"}
LEAF = b"redrive-leaf/v1\n"
CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
SURROGATES = re.compile("[\ud800-\udfff]")


class Wrong(Exception):
    """What the bundle says contradicts itself, or what is trusted."""


def need(holds: object, sentence: str) -> None:
    """Raise Wrong unless *holds*."""
    if not holds:
        raise Wrong(sentence)


# --- Merkle tree: RFC 6962 section 2.1, verification as in RFC 9162 sections 2.1.3.2 and 2.1.4.2


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root that follows from a leaf and its inclusion proof."""
    need(0 <= index < size, f"leaf {index} is not in a tree of {size}")
    at, last, root = index, size - 1, leaf
    for sibling in proof:
        need(last, "an inclusion proof is too long")
        if at & 1 or at == last:
            root = node_hash(sibling, root)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        at, last = at >> 1, last >> 1
    need(last == 0, "an inclusion proof is too short")
    return root


def roots_of_consistency(old: int, new: int, old_root: bytes, proof: list[bytes]) -> tuple[bytes, bytes]:
    """The roots of both sizes that follow from a consistency proof; 0 < old < new."""
    path = [old_root, *proof] if old & (old - 1) == 0 else proof
    need(path, "a consistency proof is empty")
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        need(last, "a consistency proof is too long")
        if at & 1 or at == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        at, last = at >> 1, last >> 1
    need(last == 0, "a consistency proof is too short")
    return first, second


class Forest:
    """Neighbouring perfect subtrees; two that are siblings become their parent. What a range proof is made of."""

    def __init__(self) -> None:
        self.trees: list[tuple[int, int, bytes]] = []

    def add(self, level: int, index: int, value: bytes) -> None:
        """Add the subtree that comes next: 2^level leaves from index × 2^level on."""
        trees = self.trees
        while index & 1 and trees and trees[-1][:2] == (level, index - 1):
            level, index, value = level + 1, index >> 1, node_hash(trees.pop()[2], value)
        trees.append((level, index, value))

    def root(self) -> bytes:
        """The root of a tree of which these are all."""
        value = self.trees[-1][2]
        for _, _, left in reversed(self.trees[:-1]):
            value = node_hash(left, value)
        return value


def subtrees(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The largest perfect subtrees, as (level, index), that together are the leaves from begin to before end."""
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            level = min(level, (begin & -begin).bit_length() - 1)
        yield level, begin >> level
        begin += 1 << level


# --- C2SP signed notes and checkpoints (c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof)


def base64_of(text: str, size: int | None = None) -> bytes:
    """The bytes that *text* stands for, in the one accepted spelling."""
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        raise Wrong(f"{text[:60]!r} is not base64") from None
    need(base64.b64encode(value).decode() == text, f"{text[:60]!r} is not canonical base64")
    need(size is None or len(value) == size, f"{text[:60]!r} does not stand for {size} bytes")
    return value


def number_of(text: str) -> int:
    """The number that *text* spells in decimal, without sign or leading zeros."""
    need(re.fullmatch(r"0|[1-9][0-9]{0,18}", text, re.ASCII) and int(text) < 2**63, f"{text[:60]!r} is no number")
    return int(text)


class Checkpoint(NamedTuple):
    """A tree head, and who signed it: (name, key id, signature)."""

    text: str
    origin: str
    size: int
    root: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...] = ()


def checkpoint_of(data: bytes) -> Checkpoint:
    """A checkpoint: a signed note, or one that nobody signed, with no line after the empty one (or not even that)."""
    try:
        note = data.decode()
    except UnicodeDecodeError:
        raise Wrong("the checkpoint is not UTF-8") from None
    need(not re.search(r"[\x00-\x09\x0b-\x1f]", note), "the checkpoint holds control characters")
    need(note.endswith("\n"), "the checkpoint does not end with its line")
    head, empty, tail = note[:-1].rpartition("\n\n") if "\n\n" in note[:-1] else (note[:-1], "", "")
    text = head + "\n"
    lines = head.split("\n")
    need(len(lines) >= 3 and all(lines), "the checkpoint is not: origin, size, root")
    need(not any(line.startswith("— ") for line in lines), "no empty line parts the checkpoint from its signatures")
    size, root = number_of(lines[1]), base64_of(lines[2], 32)
    found = [re.fullmatch("— ([^ +\n]+) ([^ \n]+)", line) for line in tail.split("\n")] if empty else []
    need(all(found), "a signature line of the checkpoint is not: dash, name, signature")
    signatures = []
    for match in found:
        assert match is not None
        raw = base64_of(match[2])
        need(len(raw) > 4, "a signature is too short")
        need(match[1].isprintable() and not re.search(r"\s", match[1]), "the name of a key is not printable")
        signatures.append((match[1], raw[:4], raw[4:]))
    return Checkpoint(text, lines[0], size, root, tuple(signatures))


class Key(NamedTuple):
    """A verifier key: `name+id+base64(algorithm || public key)`."""

    name: str
    id: bytes
    algorithm: int
    public: bytes

    @classmethod
    def parse(cls, text: str) -> "Key":
        """A key as it is written. Raises Wrong."""
        name, plus, rest = text.strip().partition("+")
        id_, plus2, encoded = rest.partition("+")
        need(name and plus and plus2 and not re.search(r"\s", name), f"{text[:80]!r} is no verifier key (name+id+key)")
        raw = base64_of(encoded, 33)
        need(raw[0] in (1, 4), f"the key {name} is of an algorithm this verifier does not know ({raw[0]})")
        expected = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        need(id_ == expected.hex(), f"the id of the key {name} is not that of its bytes")
        return cls(name, expected, raw[0], raw[1:])

    def signed(self, checkpoint: Checkpoint) -> bool:
        """Whether this key signed; False when it is not among the signatures. Raises Wrong for a bad signature."""
        mine = [value for name, id_, value in checkpoint.signatures if (name, id_) == (self.name, self.id)]
        for value in mine:
            self._check(value, checkpoint.text.encode())
        return bool(mine)

    def _check(self, signature: bytes, message: bytes) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        if self.algorithm == 4:  # a witness: it says when
            need(len(signature) == 72, f"the cosignature of {self.name} has another length")
            seconds = struct.unpack(">Q", signature[:8])[0]
            need(seconds < 2**63, f"{self.name} signed at a time that is none")
            message, signature = f"cosignature/v1\ntime {seconds}\n".encode() + message, signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            raise Wrong(f"the signature of {self.name} is not over this checkpoint") from None


# --- the file: a tar in exactly one form, so that there is nothing to be clever with


def header_of(name: str, size: int) -> bytes:
    """The one accepted header of a member: a plain file, mode 0644, of nobody, at time 0."""
    head = struct.pack(
        "100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12x",
        name.encode(), b"0000644\0", b"0000000\0", b"0000000\0", b"%011o\0" % size, b"00000000000\0", b" " * 8, b"0",
        b"", b"ustar\0", b"00", b"", b"", b"0000000\0", b"0000000\0", b"",
    )  # fmt: skip
    return head[:148] + b"%06o\0 " % sum(head) + head[156:]


class Member:
    """One file of the bundle, read once, from its beginning to its end."""

    def __init__(self, file: BinaryIO, name: str, size: int) -> None:
        self.file, self.name, self.size, self.left = file, name, size, size
        self.digest = hashlib.sha256()

    def whole(self) -> bytes:
        """All of it."""
        need(self.size <= MOST_FILE.get(self.name, MOST_OTHER), f"{self.name} is larger than such a file ever is")
        return self._took(self.file.read(self.left))

    def lines(self) -> Iterator[bytes]:
        """Its lines, each with its end."""
        while self.left:
            line = self.file.readline(min(self.left, MOST_LINE))
            need(line.endswith(b"\n"), f"{self.name} does not consist of lines")
            yield self._took(line)

    def end(self) -> None:
        """Read what is left, and the padding."""
        while self.left:
            need(self._took(self.file.read(min(self.left, 1 << 20))), f"{self.name} is cut off")
        padding = self.file.read(-self.size % BLOCK)
        need(padding == bytes(-self.size % BLOCK), f"there is something behind {self.name}")

    def _took(self, data: bytes) -> bytes:
        self.left -= len(data)
        self.digest.update(data)
        return data


def members(file: BinaryIO) -> Iterator[Member]:
    """The files of a bundle, in their order: by name, and the manifest last. Anything else is Wrong."""
    before = ""
    while before != "manifest.json":
        header = file.read(BLOCK)
        name = header[:100].rstrip(b"\0").decode("ascii", "replace")
        need(NAME.fullmatch(name), f"{name[:100]!r} is no file of a bundle")
        size = header[124:135]
        need(re.fullmatch(rb"[0-7]{11}", size), f"the size of {name} cannot be read")
        member = Member(file, name, int(size, 8))
        need(header == header_of(name, member.size), f"the header of {name} is not in the accepted form")
        need(before < name or name == "manifest.json", f"{name} comes after {before}: twice, or out of order")
        yield member  # the one who reads it calls its end()
        before = name
    rest = file.read(2 * BLOCK + 1)
    need(rest == bytes(2 * BLOCK), "the file does not end with its manifest")


def json_of(data: bytes, name: str) -> dict[str, Any]:
    """A JSON object in its one accepted form: sorted keys, no blanks, one line."""
    try:
        text = data.decode()
        found = json.loads(text)
        again = CANONICAL(found) + "\n"
    except (ValueError, RecursionError):
        raise Wrong(f"{name} is not JSON that can be read") from None
    need(isinstance(found, dict) and again == text, f"{name} is not canonical JSON")
    return dict(found)


# --- the entries


def integer(value: object, most: int, name: str) -> int:
    """*value* as an integer from 0 to *most*."""
    if type(value) is not int or not 0 <= value <= most:
        raise Wrong(f"{name} {str(value)[:60]!r} is not an integer from 0 to {most}")
    return value


def texts(entry: dict[str, Any], *names: str) -> list[bytes]:
    """Texts of an entry, in UTF-8."""
    for name in names:
        need(isinstance(entry[name], str) and not SURROGATES.search(entry[name]), f"{name} is no text")
    return [entry[name].encode() for name in names]


def leaf_of(entry: dict[str, Any]) -> tuple[bytes, bytes | None]:
    """The leaf data of an entry, built from what the entry says, and its state (None: left out)."""
    keys = set(entry)
    originator, topic = texts(entry, "originator", "topic") if keys > COLUMNS else (b"", b"")
    kind = integer(entry.get("kind"), 1, "kind")
    if kind == 0:
        originator = uuid.UUID(entry["originator"]).bytes
        need(str(uuid.UUID(bytes=originator)) == entry["originator"], "an originator is no canonical UUID")
    state, more = state_of(entry)
    need(keys == COLUMNS | more, f"an entry holds {', '.join(sorted(keys))[:200]}")
    if state is None:
        need(re.fullmatch("[0-9a-f]{64}", str(entry["state_sha256"])), "state_sha256 is no SHA-256")
        length, digest = integer(entry["state_bytes"], 2**63 - 1, "state_bytes"), bytes.fromhex(entry["state_sha256"])
    else:
        length, digest = len(state), hashlib.sha256(state).digest()
    need(len(originator) < 2**16 and len(topic) < 2**16, "an originator or topic is too long")
    version, at = (integer(entry[name], 2**63 - 1, name) for name in ("version", "recorded_at_ms"))
    return b"".join(
        (LEAF, struct.pack(">BH", kind, len(originator)), originator, struct.pack(">QQH", version, at, len(topic)),
         topic, struct.pack(">Q", length), digest)
    ), state  # fmt: skip


def state_of(entry: dict[str, Any]) -> tuple[bytes | None, set[str]]:
    """The stored bytes of an entry, and the keys that an entry of this form has beside the others."""
    if "state" in entry:
        return texts(entry, "state")[0], {"state", "tenant", "correlation"}
    if "state_base64" not in entry:
        return None, {"state_bytes", "state_sha256"}
    need(isinstance(entry["state_base64"], str), "state_base64 is no text")
    state = base64_of(entry["state_base64"])
    try:
        state.decode()
    except UnicodeDecodeError:
        return state, {"state_base64", "tenant", "correlation"}
    raise Wrong("a state that is text is written as bytes")


def says_the_same(entry: dict[str, Any], state: bytes) -> bool:
    """Whether the state is an envelope, whose tenant and correlation the entry repeats. Raises Wrong if it differs."""
    try:
        envelope = json.loads(state)
    except (ValueError, RecursionError):
        return False
    if not isinstance(envelope, dict) or not {"tenant", "correlation"} <= envelope.keys():
        return False
    for name in ("tenant", "correlation"):
        need(entry[name] == envelope[name], f"position {entry['position']}: its {name} is not that of its state")
    return True


def ascii_of(data: bytes, name: str) -> str:
    """*data* as text, ASCII only."""
    need(data.isascii(), f"{name} is not ASCII")
    return data.decode("ascii")


def lines_of(member: Member) -> list[str]:
    """The lines of a small text; the last one is ended too."""
    text = ascii_of(member.whole(), member.name)
    need(text.endswith("\n"), f"{member.name} does not end with its last line")
    return text[:-1].split("\n")


class Verifier:
    """Reads a bundle once, from its first byte to its last. Memory: a little for each stream and each single proof."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digests: dict[str, dict[str, Any]] = {}
        self.facts: dict[str, Any] = {}
        self.checkpoint, self.checkpoint_bytes = Checkpoint("", "", 0, b""), b""
        self.since: Checkpoint | None = None
        self.consistency: list[bytes] = []
        self.policy: dict[str, Any] = {}
        self.leaves: dict[int, bytes] = {}
        self.forests: dict[int, Forest] = {}
        self.ends: list[tuple[int, int]] = []
        self.last = {"index": -1, "position": 0}
        self.times = (2**63, 0)
        self.streams: dict[str, int] = {}
        self.gaps: list[str] = []
        self.entries = self.left_out = self.foreign = 0
        self.begun_before = self.chunks = self.singles = self.ranged = self.proven_ranges = 0
        self.script = b""

    def run(self) -> None:
        """Check everything that the bundle can show by itself. Raises Wrong."""
        for member in members(self.file):
            need(self.facts or member.name <= "bundle.json", "bundle.json is missing")
            need(self.checkpoint.origin or member.name <= "checkpoint", "the checkpoint is missing")
            READERS[member.name.partition("/")[0]](self, member)
            member.end()
            if member.name != "manifest.json":
                self.digests[member.name] = {"sha256": member.digest.hexdigest(), "size": member.size}
        self._finish()

    def read_facts(self, member: Member) -> None:
        """bundle.json: what the bundle says that it holds."""
        facts = self.facts = json_of(member.whole(), member.name)
        need(facts.get("format") == FORMAT, f"the bundle is not of the format {FORMAT}")
        names = {"code", "entries", "format", "log", "origin", "ranges", "root", "selection", "size"}
        need(set(facts) == names, "bundle.json does not say what a bundle of this format says")
        need(isinstance(facts["selection"], dict) and facts["selection"], "bundle.json does not say what was selected")
        for name in ("entries", "size"):
            integer(facts[name], 2**62, name)
        ranges, before = facts["ranges"], -1
        need(isinstance(ranges, list), "ranges is no list")
        for pair in ranges:
            need(isinstance(pair, list) and len(pair) == 2, "a range is not: first leaf, number of leaves")
            first, count = (integer(part, 2**62, "a range") for part in pair)
            need(first > before and count > 1, "ranges are out of order, or of a single leaf")
            before = first + count  # neighbours would be one range
            self.ends.append((first, first + count))

    def read_checkpoint(self, member: Member) -> None:
        """The checkpoint that every proof of this bundle leads to."""
        self.checkpoint_bytes = member.whole()
        found = self.checkpoint = checkpoint_of(self.checkpoint_bytes)
        root = base64.b64encode(found.root).decode()
        same = (self.facts["origin"], self.facts["size"], self.facts["root"]) == (found.origin, found.size, root)
        need(same, "bundle.json and the checkpoint are about different trees")
        need(all(end <= found.size for _, end in self.ends), "a range goes beyond the tree")

    def read_since(self, member: Member) -> None:
        """The earlier checkpoint that the consistency proof leads from."""
        self.since = checkpoint_of(member.whole())

    def read_consistency(self, member: Member) -> None:
        """That the tree only grew since the earlier checkpoint."""
        lines = lines_of(member)
        need(lines[:1] == ["redrive-consistency/v1"], "the consistency proof is of another format")
        self.consistency = [base64_of(line, 32) for line in lines[1:]]

    def read_policy(self, member: Member) -> None:
        """What the exporter says about its keys: it is checked, and proves nothing."""
        self.policy = json_of(member.whole(), member.name)
        keys = self.policy.get("keys")
        need(isinstance(keys, list) and all(isinstance(key, str) for key in keys), "policy.json does not list keys")

    def read_entries(self, member: Member) -> None:
        """Events: each becomes the leaf that it must be in the tree."""
        need(member.name == f"entries/{self.chunks:06}.jsonl", f"{member.name}: a file of entries is missing before it")
        self.chunks += 1
        for line in member.lines():
            entry = json_of(line, f"a line of {member.name}")
            try:
                data, state = leaf_of(entry)
            except (KeyError, ValueError) as error:
                raise Wrong(f"an entry of {member.name} cannot be read ({error})") from None
            self._place(entry)
            if state is None:
                self.left_out += 1
            elif not says_the_same(entry, state):
                self.foreign += 1
            self._keep(entry["index"], leaf_hash(data))

    def _place(self, entry: dict[str, Any]) -> None:
        """An entry stands where it belongs: after the one before, and after the version before in its stream."""
        for name in ("index", "position"):
            value = integer(entry[name], 2**63 - 1, name)
            need(value > self.last[name], f"{name} {value} is not beyond {self.last[name]}")
            self.last[name] = value
        need(entry["position"] > entry["index"], "a position is lower than the place in the tree allows")
        stream, version = entry["originator"], entry["version"]
        if not entry["topic"].startswith("engine."):  # of limits, only those that concern the tenant
            self.begun_before += stream not in self.streams and version > 1
            before = self.streams.get(stream, 0 if "run" in self.facts["selection"] else version - 1)
            if version != before + 1:
                self.gaps.append(f"{stream} goes from version {before} to {version}")
            self.streams[stream] = version
        self.times = min(self.times[0], entry["recorded_at_ms"]), max(self.times[1], entry["recorded_at_ms"])
        self.entries += 1

    def _keep(self, index: int, leaf: bytes) -> None:
        while self.ends and index >= self.ends[0][1]:
            self._end_range()
        if self.ends and index >= self.ends[0][0]:
            forest = self.forests.setdefault(self.ends[0][0], Forest())
            need(index == self.ends[0][0] + self.ranged, f"leaf {self.ends[0][0] + self.ranged} of a range is missing")
            self.ranged += 1
            forest.add(0, index, leaf)
        else:
            self.leaves[index] = leaf

    def _end_range(self) -> None:
        first, end = self.ends.pop(0)
        need(self.ranged == end - first, f"{end - first - self.ranged} leaves of the range from {first} on are missing")
        self.ranged = 0

    def read_proof(self, member: Member) -> None:
        """A C2SP .tlog-proof: this leaf is in the tree of the checkpoint."""
        head, empty, note = member.whole().partition(b"\n\n")
        need(empty and note == self.checkpoint_bytes, f"{member.name} is about another checkpoint")
        lines = ascii_of(head, member.name).split("\n")
        need(len(lines) > 1 and lines[0] == "c2sp.org/tlog-proof@v1", f"{member.name} is of another format")
        index = number_of(lines[1].removeprefix("index "))
        need(member.name == f"proofs/{index:020}.tlog-proof", f"{member.name} is about leaf {index}")
        need(lines[1].startswith("index ") and index in self.leaves, f"{member.name} proves nothing that is here")
        hashes = [base64_of(line, 32) for line in lines[2:]]
        root = root_of_inclusion(self.leaves.pop(index), index, self.checkpoint.size, hashes)
        need(root == self.checkpoint.root, f"leaf {index} is not in the tree of the checkpoint")
        self.singles += 1

    def read_range(self, member: Member) -> None:
        """A range proof: the subtrees on both sides of a range of leaves, which with it give the root."""
        lines = lines_of(member)
        need(len(lines) > 1 and lines[0] == "redrive-range-proof/v1", f"{member.name} is of another format")
        while self.ends:
            self._end_range()
        match = re.fullmatch(r"leaves (\d+) (\d+)", lines[1], re.ASCII)
        need(match, f"{member.name} does not say of which leaves it is")
        assert match is not None
        first, end = number_of(match[1]), number_of(match[2])
        need(member.name == f"ranges/{first:020}.range-proof", f"{member.name} is about leaf {first}")
        need([first, end - first] in self.facts["ranges"], f"{member.name} is of a range that is not here")
        middle, hashes = self.forests.pop(first).trees, [base64_of(line, 32) for line in lines[2:]]
        before, after = list(subtrees(0, first)), list(subtrees(end, self.checkpoint.size))
        need(len(hashes) == len(before) + len(after), f"{member.name} has another number of hashes")
        forest = Forest()
        for level, index, value in (
            *((*tree, value) for tree, value in zip(before, hashes, strict=False)), *middle,
            *((*tree, value) for tree, value in zip(after, hashes[len(before) :], strict=True)),
        ):  # fmt: skip
            forest.add(level, index, value)
        need(forest.root() == self.checkpoint.root, f"leaves {first} to {end - 1} are not those of the checkpoint")
        self.proven_ranges += 1

    def read_script(self, member: Member) -> None:
        """The verifier that travels with the bundle."""
        self.script = member.whole()

    def read_text(self, member: Member) -> None:
        """What is only for people."""
        member.whole()

    def read_manifest(self, member: Member) -> None:
        """The manifest: every file but itself, with size and SHA-256."""
        found = json_of(member.whole(), member.name)
        need(set(found) == {"files", "format"} and found["format"] == FORMAT, "the manifest is of another format")
        need(isinstance(found["files"], dict), "the manifest lists no files")
        for name in sorted({*found["files"], *self.digests}):
            need(name in self.digests, f"{name} is in the manifest, not in the bundle")
            need(name in found["files"], f"{name} is not in the manifest")
            need(found["files"][name] == self.digests[name], f"{name} is not what the manifest says")

    def _finish(self) -> None:
        missing = [name for name in NEEDED[:-1] if name not in self.digests]
        need(not missing, f"{', '.join(missing)} missing")
        while self.ends:
            self._end_range()
        need(not self.forests, "a range of leaves has no proof")
        need(not self.leaves, f"leaf {min(self.leaves, default=0)} has no proof")
        need(self.entries == self.facts["entries"] and self.entries, "the bundle holds another number of entries")
        need((self.since is None) == ("consistency.proof" not in self.digests), "half a consistency proof is here")
        if self.since is not None:
            self.grew_from(self.since)
        own = [Key.parse(text).signed(self.checkpoint) for text in self.policy["keys"]]
        need(any(own) or not own, "none of the keys in policy.json signed the checkpoint")

    def grew_from(self, old: Checkpoint) -> None:
        """The tree is the one of an earlier checkpoint, with more leaves. Raises Wrong."""
        new = self.checkpoint
        need(old.origin == new.origin, f"a checkpoint is of another log: {old.origin!r}")
        need(old.size <= new.size, f"an earlier checkpoint is of {old.size} leaves, this one of {new.size}")
        if 0 < old.size < new.size:
            roots = roots_of_consistency(old.size, new.size, old.root, self.consistency)
            need(roots == (old.root, new.root), f"the tree is not a later form of that with {old.size} leaves")
        else:
            need(not self.consistency, "a consistency proof is too long")
            expected = new.root if old.size else hashlib.sha256(b"").digest()
            need(old.root == expected, f"two checkpoints of {old.size} leaves differ")


READERS: dict[str, Callable[[Verifier, Member], None]] = {
    "bundle.json": Verifier.read_facts,
    "checkpoint": Verifier.read_checkpoint,
    "consistency.proof": Verifier.read_consistency,
    "since.checkpoint": Verifier.read_since,
    "entries": Verifier.read_entries,
    "policy.json": Verifier.read_policy,
    "proofs": Verifier.read_proof,
    "ranges": Verifier.read_range,
    "verify.py": Verifier.read_script,
    "VERIFY.md": Verifier.read_text,
    "manifest.json": Verifier.read_manifest,
}


# --- what is trusted


class Verdict:
    """What came of the keys and pins: the worst of it is the result."""

    ORDER = ("VERIFIED", "SELF-CONSISTENT", "STALE", "INCOMPLETE", "TAMPERED")

    def __init__(self, *, asked: bool) -> None:
        self.result = "VERIFIED" if asked else "SELF-CONSISTENT"
        self.lines: list[tuple[str, str]] = []
        self.vouched = 0  # how many leaves somebody outside has seen, or the owner of a key has signed

    def note(self, name: str, sentence: str, result: str = "VERIFIED") -> None:
        """Something that was found, and what it makes of the result."""
        self.lines.append((name, sentence))
        self.result = max(self.result, result, key=self.ORDER.index)


def judge_key(key: Key, bundle: Verifier, verdict: Verdict) -> None:
    """A key that was given must have signed the checkpoint."""
    kind = "witness" if key.algorithm == 4 else "key"
    if key.signed(bundle.checkpoint):
        verdict.vouched = bundle.checkpoint.size
        verdict.note(kind, f"{key.name}+{key.id.hex()} signed the checkpoint")
    else:
        others = ", ".join(f"{name}+{id_.hex()}" for name, id_, _ in bundle.checkpoint.signatures) or "nobody"
        verdict.note(kind, f"{key.name}+{key.id.hex()} did not sign the checkpoint; signed by {others}", "INCOMPLETE")


def judge_pin(pin: Checkpoint, bundle: Verifier, verdict: Verdict) -> None:
    """A checkpoint that was kept elsewhere must be this one, or lead to it by the consistency proof."""
    mine, kept = bundle.checkpoint, f"{pin.size} leaves"
    need(pin.origin == mine.origin, f"the pin is of another log: {pin.origin!r}")
    since = bundle.since
    if pin.size == mine.size:
        need(pin.root == mine.root, f"the pinned tree of {kept} has another root")
        verdict.vouched = mine.size
        verdict.note("pin", f"{kept}: the same tree")
    elif pin.size > mine.size:
        verdict.note("pin", f"{kept}: newer than this bundle, which cannot show that it leads there", "STALE")
    elif since is None or since.size != pin.size:
        sentence = f"{kept}: the bundle has no consistency proof from there; export it with --since that checkpoint"
        verdict.note("pin", sentence, "INCOMPLETE")
    else:
        need(pin.root == since.root, f"the pinned tree of {kept} has another root")
        verdict.vouched = max(verdict.vouched, pin.size)
        verdict.note("pin", f"{kept}: the tree has only grown since")


def judge_reach(bundle: Verifier, verdict: Verdict) -> None:
    """What nobody outside has seen, and no key that is trusted has signed, anybody may have added to the tree."""
    if bundle.last["index"] >= verdict.vouched:
        sentence = f"for leaf {bundle.last['index']}: what was seen ends before leaf {verdict.vouched}; give a key, too"
        verdict.note("nobody stands", sentence, "SELF-CONSISTENT")


def moment(ms: int) -> str:
    """A time in UTC; what no calendar holds is told in milliseconds."""
    try:
        return datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1_000:03}Z"
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"


def judge_holdings(bundle: Verifier, verdict: Verdict) -> None:
    """Tell what was checked, and what a bundle cannot prove."""
    facts, checkpoint, say = bundle.facts, bundle.checkpoint, verdict.note
    say("origin", checkpoint.origin)
    say("checkpoint", f"{checkpoint.size} leaves, root {base64.b64encode(checkpoint.root).decode()}")
    if bundle.since is not None:
        say("consistency", f"the tree has only grown since it had {bundle.since.size} leaves")
    say("files", f"{len(bundle.digests)} as the manifest says")
    say("entries", f"{bundle.entries}, each one a leaf of the tree: {bundle.singles} by .tlog-proof, "
        f"{bundle.entries - bundle.singles} by {bundle.proven_ranges} range proofs")  # fmt: skip
    say("states", f"{bundle.entries - bundle.left_out} hash to what their leaves say; {bundle.left_out} are left out")
    say("recorded", f"from {moment(bundle.times[0])} to {moment(bundle.times[1])}, by the clock of the log")
    say("selected", json.dumps(facts["selection"], ensure_ascii=False))
    if bundle.begun_before:
        say("begun before", f"{bundle.begun_before} streams: their first events are not here")
    if bundle.gaps:
        more = f", and {len(bundle.gaps) - 1} more" if len(bundle.gaps) > 1 else ""
        say("missing", f"{bundle.gaps[0]}{more}: events in between are not here", "INCOMPLETE")
    say(
        "not proven", "which number (position) the log gave to an entry: only their order; what VERIFY.md, policy.json,"
    )
    say("", "bundle.json (selection, log, code) say; that nothing else belongs to the selection, but for ranges")
    if bundle.foreign:
        say("", f"tenant and correlation of {bundle.foreign} entries, whose states do not name them")
    if bundle.script != Path(__file__).read_bytes():
        say("remark", "the verify.py in the bundle is not this one")


def keys_of(texts_: list[str]) -> list[Key]:
    """Verifier keys: each given as such, or as a file with one on each line."""
    found = []
    for text in texts_:
        lines = [text] if "+" in text else Path(text).read_text(encoding="utf-8").splitlines()
        found += [Key.parse(line) for line in lines if line.strip()]
    return found


def verify(file: BinaryIO, keys: list[Key], pins: list[Checkpoint]) -> Verdict:
    """Check a bundle against what is trusted. Never raises for what the bundle holds."""
    verdict = Verdict(asked=bool(keys or pins))
    bundle = Verifier(file)
    try:
        bundle.run()
        judge_holdings(bundle, verdict)
        for pin in pins:
            judge_pin(pin, bundle, verdict)
        for key in keys:
            judge_key(key, bundle, verdict)
        if keys or pins:
            judge_reach(bundle, verdict)
    except Wrong as wrong:
        verdict.note("wrong", str(wrong), "TAMPERED")
    except ImportError:
        verdict.note("missing", "the package cryptography, without which no signature can be checked", "INCOMPLETE")
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a hostile file does, it gets a sentence
        verdict.note("wrong", f"the bundle cannot be read: {type(error).__name__} {error}", "TAMPERED")
    return verdict


def shown(text: str) -> str:
    """*text* as a terminal may print it."""
    text = text if len(text) < 500 else text[:499] + "…"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class Arguments(argparse.ArgumentParser):
    """Says what is wrong with the command line without an exit code that means a result."""

    def error(self, message: str) -> NoReturn:
        """Say it, and end."""
        self.exit(UNREADABLE, f"{self.prog}: {message}\n")


def main(given: list[str] | None = None) -> int:
    """Verify the bundle that the command line names; the exit code."""
    parser = Arguments(prog="verify.py", description="Verify an evidence bundle of redrive, offline.")
    parser.add_argument("bundle")
    parser.add_argument("--key", action="append", default=[], help="a verifier key (name+id+key), or a file of them")
    parser.add_argument("--pin", action="append", default=[], help="a file with a checkpoint that was kept elsewhere")
    asked = parser.parse_args(given)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        keys = keys_of(asked.key)
        pins = [checkpoint_of(Path(name).read_bytes()) for name in asked.pin]
        with Path(asked.bundle).open("rb") as file:
            verdict = verify(file, keys, pins)
    except (OSError, ValueError, Wrong) as error:
        sys.stderr.write(f"verify.py: {shown(str(error))}\n")
        return UNREADABLE
    for name, sentence in verdict.lines:
        sys.stdout.write(f"{name:<13}{shown(sentence)}\n")
    sys.stdout.write(f"{'RESULT':<13}{verdict.result}\n")
    return EXITS[verdict.result]


if __name__ == "__main__":
    sys.exit(main())
