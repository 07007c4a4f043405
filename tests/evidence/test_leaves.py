"""Leaves: the bytes of a row, each of its columns, and nothing else."""

from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrive.evidence.leaves import leaf_data, leaf_of_row, leaves_of
from redrive.evidence.merkle import leaf_hash
from redrive.evidence.store import StoredRow

STREAM, TOPIC, STATE = "6f1e0b6c-0000-4000-8000-000000000000", "run.claimed/1", b'{"id":"1"}'


def leaf_of(*columns: object) -> bytes:
    """By the loop for many rows, and by the plain way, which must agree."""
    stream, version, at, topic, state = columns
    row: StoredRow = (1, stream, version, topic, state, "t", "c", at)
    (leaf, again) = leaves_of([row, row])
    assert leaf == again == leaf_of_row(row)
    return leaf


def test_the_bytes_of_a_leaf() -> None:
    """Written out once, as the format says: another implementation must come to the same."""
    expected = (
        b"redrive-leaf/v1\n\x01\x00\x24" + STREAM.encode() + (3).to_bytes(8, "big") + (1_700).to_bytes(8, "big")
        + b"\x00\x0drun.claimed/1" + (10).to_bytes(8, "big") + sha256(STATE).digest()
    )  # fmt: skip
    assert leaf_data(STREAM, 3, 1_700, TOPIC, len(STATE), sha256(STATE).digest()) == expected
    assert leaf_of(STREAM, 3, 1_700, TOPIC, STATE) == sha256(b"\x00" + expected).digest()


def test_a_uuid_is_16_bytes_of_kind_0() -> None:
    """Stores that keep stream ids as UUIDs have leaves of their own kind."""
    data = leaf_data(UUID(STREAM), 1, 0, TOPIC, 0, sha256(b"").digest())
    assert data[16:19] == b"\x00\x00\x10"
    assert data[19:35] == UUID(STREAM).bytes


@given(st.text(max_size=1_200), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.text(), st.binary())
def test_fast_and_plain_agree(stream: str, version: int, at: int, topic: str, state: bytes) -> None:
    """The fast path is the format, whatever the row holds."""
    try:
        plain = leaf_hash(leaf_data(stream, version, at, topic, len(state), sha256(state).digest()))
    except ValueError:
        with pytest.raises(ValueError, match=r"range|longer|row|encode"):
            leaf_of(stream, version, at, topic, state)
    else:
        assert leaf_of(stream, version, at, topic, state) == plain


@pytest.mark.parametrize(
    "row",
    [
        (None, 1, 1, TOPIC, STATE),
        (STREAM, "1", 1, TOPIC, STATE),
        (STREAM, -1, 1, TOPIC, STATE),
        (STREAM, 1.5, 1, TOPIC, STATE),
        (STREAM, 1, None, TOPIC, STATE),
        (STREAM, 1, 1, b"topic", STATE),
        (STREAM, 1, 1, TOPIC, STATE.decode()),
        (STREAM, 1, 1, TOPIC, None),
        (b"stream", 1, 1, TOPIC, STATE),
        (STREAM, 1, 2**64, TOPIC, STATE),
        ("s" * 65_536, 1, 1, TOPIC, STATE),
    ],
)
def test_a_row_that_no_ledger_wrote_has_no_leaf(row: tuple[object, ...]) -> None:
    """A column of another type is a finding, not an exception of its own kind; whichever way it is hashed."""
    stored: StoredRow = (1, row[0], row[1], row[3], row[4], "t", "c", row[2])
    for hashed in (leaf_of_row, lambda one: leaves_of([one])):
        with pytest.raises((ValueError, TypeError)):
            hashed(stored)
