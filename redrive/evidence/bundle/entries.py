"""The entries of a bundle: an event's row as one line of canonical JSON, and back, with the leaf that it is.

A line repeats what the leaf hashes, so that a reader sees it: *index* is the place in the tree, *position* the number
that the log gave it. The state is the text as it was stored, or base64 of bytes that are no UTF-8; in a bundle
without states there are its size and SHA-256 instead.
"""

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from redrive.domain.errors import InvalidValue
from redrive.domain.values import JsonValue
from redrive.evidence.bundle.archive import broken, canonical_line
from redrive.evidence.leaves import TEXT_KIND, UUID_KIND, leaf_data, leaf_of_row
from redrive.evidence.merkle import leaf_hash
from redrive.evidence.store import Archived

Row = tuple[Any, ...]
"""As the table of the log has them: position, stream, version, topic, state, tenant, correlation, recorded_at_ms."""
_COLUMNS = ("index", "kind", "originator", "position", "recorded_at_ms", "topic", "version")
_MOST = 2**63 - 1


class Entry(NamedTuple):
    """An event of a bundle. *state* is None where states are left out; tenant and correlation are "" then."""

    leaf_index: int
    position: int
    stream: str
    version: int
    topic: str
    state: bytes | None
    tenant: str
    correlation: str
    recorded_at_ms: int
    leaf: bytes

    def row(self) -> Row:
        """The row of the log that this is."""
        return (
            self.position, self.stream, self.version, self.topic, self.state, self.tenant, self.correlation,
            self.recorded_at_ms,
        )  # fmt: skip


def line_of(row: Row, index: int, *, states: bool) -> tuple[bytes, bytes]:
    """The line of a row that is leaf *index*, and its leaf hash. A state that was archived is left out.

    Raises ValueError or TypeError for a row that no ledger wrote.
    """
    position, stream, version, topic, state, tenant, correlation, recorded_at_ms = row
    leaf = leaf_of_row(row)
    document: dict[str, JsonValue] = {
        "index": index,
        "kind": UUID_KIND if isinstance(stream, UUID) else TEXT_KIND,
        "originator": str(stream),
        "position": position,
        "recorded_at_ms": recorded_at_ms,
        "topic": topic,
        "version": version,
    }
    if isinstance(state, Archived):
        document |= {"state_bytes": state.size, "state_sha256": state.digest.hex()}
    elif states:
        document |= {"tenant": tenant, "correlation": correlation, **_told(state)}
    else:
        document |= {"state_bytes": len(state), "state_sha256": sha256(state).hexdigest()}
    return canonical_line(document), leaf


def _told(state: bytes) -> dict[str, JsonValue]:
    try:
        return {"state": state.decode()}
    except UnicodeDecodeError:
        return {"state_base64": b64encode(state).decode()}


def entry_of(line: bytes) -> Entry:
    """The entry of a line, with the leaf that it must be in the tree. Raises InvalidValue."""
    try:
        told = json.loads(line)
        if not isinstance(told, dict) or canonical_line(told) != line + b"\n":
            broken("an entry is not canonical JSON")
        return _read(told)
    except InvalidValue:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        broken(f"an entry cannot be read ({error})")


def _read(told: dict[str, Any]) -> Entry:
    numbers = [told[name] for name in ("index", "position", "version", "recorded_at_ms")]
    if any(type(number) is not int or not 0 <= number <= _MOST for number in numbers):
        broken("a number of an entry is out of range")
    kind, stream, topic = told["kind"], told["originator"], told["topic"]
    if type(kind) is not int or kind not in (UUID_KIND, TEXT_KIND) or not _are_texts(stream, topic):
        broken("an entry does not say which stream or topic it is of")
    if kind == UUID_KIND and str(UUID(stream)) != stream:
        broken(f"{stream} is no canonical UUID")
    state, size, digest, extra = _state_of(told)
    if set(told) != {*_COLUMNS, *extra}:
        broken("an entry holds other things than an entry of this format")
    index, position, version, at = numbers
    leaf = leaf_hash(leaf_data(UUID(stream) if kind == UUID_KIND else stream, version, at, topic, size, digest))
    tenant, correlation = told.get("tenant", ""), told.get("correlation", "")
    if not _are_texts(tenant, correlation):
        broken("tenant and correlation are texts")
    return Entry(index, position, stream, version, topic, state, tenant, correlation, at, leaf)


def _state_of(told: dict[str, Any]) -> tuple[bytes | None, int, bytes, tuple[str, ...]]:
    """The state, its size and digest, and the keys that an entry of this form has beside the columns."""
    if "state" in told:
        state = told["state"].encode()
    elif "state_base64" in told:
        state = b64decode(told["state_base64"], validate=True)
        if "state" in _told(state) or b64encode(state).decode() != told["state_base64"]:
            broken("a state is not written as states are")
    else:
        size, digest = told["state_bytes"], told["state_sha256"]
        if type(size) is not int or not 0 <= size <= _MOST or digest != digest.lower() or len(digest) != 64:
            broken("an entry does not say what its state hashes to")
        return None, size, bytes.fromhex(digest), ("state_bytes", "state_sha256")
    name = "state" if "state" in told else "state_base64"
    return state, len(state), sha256(state).digest(), (name, "tenant", "correlation")


def _are_texts(*values: object) -> bool:
    return all(isinstance(value, str) and value.encode("utf-8", "replace").decode() == value for value in values)


def require_own(entry: Entry) -> None:
    """Raise InvalidValue when the state says another tenant or correlation than the entry repeats; one without an
    envelope of ours says nothing of them."""
    try:
        envelope = json.loads(entry.state or b"")
    except (ValueError, RecursionError):
        return
    if not isinstance(envelope, dict) or not {"tenant", "correlation"} <= envelope.keys():
        return
    if (envelope["tenant"], envelope["correlation"]) != (entry.tenant, entry.correlation):
        broken(f"the tenant or correlation at position {entry.position} is not that of its state")
