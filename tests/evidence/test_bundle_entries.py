"""A row becomes a line, and the line the leaf that the tree has, in both verifiers."""

import json
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from redrive.evidence import verify
from redrive.evidence.bundle.entries import entry_of, line_of
from redrive.evidence.leaves import leaf_of_row
from redrive.evidence.store import Archived

STATE = b'{"tenant":"a/b/c","correlation":"r","data":"\xc3\xbc \\u0000"}'
ROWS: dict[str, tuple[Any, ...]] = {
    "text": (7, "run-1", 1, "run.submitted/1", STATE, "a/b/c", "r", 5),
    "beyond ASCII": (7, "läuft 🦀", 2**62, "ü/1", STATE, "a/b/c", "r", 2**62),
    "a UUID": (7, UUID(int=5), 1, "run.submitted/1", STATE, "a/b/c", "r", 5),
    "no UTF-8": (7, "run-1", 1, "run.submitted/1", b"\xff\x00", "a/b/c", "r", 5),
    "empty": (7, "run-1", 0, "", b"", "", "", 0),
    "archived": (7, "run-1", 1, "run.submitted/1", Archived(len(STATE), sha256(STATE).digest()), "a/b/c", "r", 5),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("states", [True, False])
def test_a_line_gives_the_leaf_of_its_row(name: str, states: bool) -> None:
    """Also of streams named by UUID, of bytes that are no text, of states that are elsewhere."""
    row = ROWS[name]
    line, leaf = line_of(row, 3, states=states)
    entry = entry_of(line[:-1])
    data, state = verify.leaf_of(json.loads(line))
    assert leaf == leaf_of_row(row) == entry.leaf == verify.leaf_hash(data)
    assert entry.state == state == (row[4] if states and name != "archived" else None)
    if state is not None:
        assert entry.row() == (row[0], str(row[1]), *row[2:])
