"""Sealing: what is written, when it refuses, and who wins."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import redrive
from redrive.domain.errors import InvalidValue, SealRefused, StorageError
from redrive.evidence.custody import Custody
from redrive.evidence.leaves import leaf_of_row
from redrive.evidence.merkle import TiledTree, is_consistent, is_included
from redrive.evidence.notes import parse_checkpoint, parse_note, verified_by
from redrive.evidence.store import Addition, Outrun, StoredCheckpoint
from redrive.forensics.footing import seal_status
from tests.evidence.sealed import FLOW, Sealed
from tests.evidence.trees import naive_root


def submit(engine: redrive.Engine, key: str) -> None:
    """One run more: two events."""
    engine.local.submit(FLOW, automation="later", key=key)


def test_the_root_is_that_of_the_rows(sealed: Sealed) -> None:
    """Written by tiles, checkpoint after checkpoint, it is the tree of the definition."""
    with sealed.open() as engine:
        store = engine.evidence.store
        leaves = [leaf_of_row(row) for row in store.rows_after(0, 100_000)]
        for point in store.checkpoints(0, 10):
            assert point.root == naive_root(leaves[: point.size])
        assert [position for _, position in store.leaves(0, 100_000)] == list(range(1, len(leaves) + 1))


def test_proofs_come_from_the_stored_tiles(sealed: Sealed) -> None:
    """Any leaf, any two checkpoints."""
    with sealed.open() as engine:
        store = engine.evidence.store
        tree, points = TiledTree(store.tile), store.checkpoints(0, 10)
        row = store.rows_after(299, 1)[0]
        last = points[-1]
        assert is_included(leaf_of_row(row), 299, last.size, tree.inclusion(299, last.size), last.root)
        for old in points:
            proof = tree.consistency(old.size, last.size)
            assert is_consistent(old.size, old.root, last.size, last.root, proof)


def test_checkpoints_are_signed_notes(sealed: Sealed) -> None:
    """Of this log, by the key of the key file, and pinned."""
    with sealed.open() as engine:
        last = engine.evidence.store.last()
        assert last is not None
        note = parse_note(last.note)
        assert verified_by(note, sealed.keys.verifiers()) == list(sealed.keys.verifiers())
        assert parse_checkpoint(note.text).origin == f"redrive/{engine.ledger.id}"
        assert sealed.pin.read_text() == last.note


def test_nothing_new_is_nothing_to_seal(sealed: Sealed) -> None:
    """An idle log grows by no checkpoint."""
    with sealed.open() as engine:
        before = engine.evidence.store.last()
        assert engine.seal() == engine.seal() == before


def test_an_empty_log_has_no_checkpoint(tmp_path: Path) -> None:
    """There is nothing to vouch for."""
    with redrive.open(f"sqlite:///{tmp_path}/ops.db") as engine:
        assert engine.seal() is None
        assert engine.await_sealed() is None
        assert seal_status(engine, 0) == "unsealed"


def test_without_a_key_it_seals_unsigned_and_says_so(tmp_path: Path) -> None:
    """Nobody vouches, but nothing can be changed one row at a time."""
    with redrive.open(f"sqlite:///{tmp_path}/ops.db") as engine:
        submit(engine, "1")
        point = engine.seal()
        assert point is not None
        assert parse_note(point.note).signatures == ()
        assert seal_status(engine, point.position) == f"sealed, unsigned: checkpoint {point.size}"
        submit(engine, "2")
        assert seal_status(engine, point.position + 1) == f"unsealed: 1 event after checkpoint {point.size}"


def test_the_status_names_who_signed(sealed: Sealed) -> None:
    """Every forensic report ends with it."""
    with sealed.open() as engine:
        last = engine.evidence.store.last()
        assert last is not None
        assert seal_status(engine, 1) == f"sealed by checkpoint {last.size} (signed by test.example/log)"


def test_await_sealed_seals_by_itself(sealed: Sealed) -> None:
    """An operator's action is evidence when the call returns."""
    with sealed.open() as engine:
        submit(engine, "1")
        position = engine.ledger.last_position()
        point = engine.await_sealed(position)
        assert point is not None
        assert point.position == position
        assert engine.await_sealed() == engine.await_sealed(1) == point
        with pytest.raises(InvalidValue, match="position"):
            engine.await_sealed(position + 1)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tree_tiles SET hashes = zeroblob(32) WHERE level = 0 AND tile = 1",
        "DELETE FROM tree_tiles WHERE level = 1",
        "UPDATE tree_checkpoints SET root = zeroblob(32) WHERE size > 400",
        "UPDATE tree_checkpoints SET note = replace(note, 'redrive/', 'redrive/x') WHERE size > 400",
        "UPDATE tree_checkpoints SET note = 'nothing' WHERE size > 400",
        "UPDATE tree_checkpoints SET note = substr(note, 1, 70) || 'AAAA' || substr(note, 75) WHERE size > 400",
        "DELETE FROM tree_checkpoints WHERE size > 400",
        "INSERT INTO tree_leaves VALUES (99999, 99999)",
        "DELETE FROM tree_checkpoints",
    ],
)
@pytest.mark.parametrize("pin", [True, False])
def test_a_tree_that_disagrees_is_not_continued(sealed: Sealed, statement: str, pin: bool) -> None:
    """What was tampered with is not signed over; commands go on."""
    sealed.sql(statement)
    with sealed.open(pin=pin) as engine:
        points = engine.evidence.store.checkpoints(0, 99)
        submit(engine, "1")
        with pytest.raises(SealRefused):
            engine.seal()
        assert engine.evidence.store.checkpoints(0, 99) == points


def test_a_log_that_was_cut_is_refused_by_the_pin(sealed: Sealed, template: Path) -> None:
    """Tail, tree and checkpoints gone together agree with each other, and not with the pin."""
    with sealed.open() as engine:
        submit(engine, "1")
        engine.seal()
    shutil.copy(template / "ops.db", sealed.path)
    with sealed.open() as engine, pytest.raises(SealRefused, match="old copy"):
        engine.seal()
    with sealed.open(pin=False) as engine:
        assert engine.seal()


@pytest.mark.parametrize("pinned", ["", "redrive/else\n1\nAAAA\n", "\xff"])
def test_a_pin_that_makes_no_sense_is_refused(sealed: Sealed, pinned: str) -> None:
    """It is never overwritten."""
    sealed.pin.write_text(pinned, encoding="latin-1")
    with sealed.open() as engine, pytest.raises(SealRefused, match="pin"):
        engine.seal()
    assert sealed.pin.read_text(encoding="latin-1") == pinned


def test_a_rewritten_log_is_refused_by_the_pin(sealed: Sealed) -> None:
    """The same size, another root."""
    note = sealed.pin.read_text().split("\n")
    sealed.pin.write_text(f"{note[0]}\n{note[1]}\n{'A' * 43}=\n")
    with sealed.open() as engine, pytest.raises(SealRefused, match="rewritten"):
        engine.seal()


def test_the_pin_never_goes_backwards(sealed: Sealed) -> None:
    """A sealer that is behind does not unpin what another pinned."""
    with sealed.open() as engine:
        first = engine.evidence.store.checkpoints(0, 1)[0]
        before = sealed.pin.read_text()
        assert engine.evidence.pin is not None
        engine.evidence.pin.advance(first.note)
        assert sealed.pin.read_text() == before


def test_a_crash_before_the_pin_is_made_good(sealed: Sealed) -> None:
    """The checkpoint is in the log, the pin is behind: the next one brings it up."""
    with sealed.open(pin=False) as engine:
        submit(engine, "1")
        point = engine.seal()
    assert point is not None
    assert sealed.pin.read_text() != point.note
    with sealed.open() as engine:
        assert engine.seal() == point
    assert sealed.pin.read_text() == point.note


@pytest.mark.parametrize("table", ["tree_checkpoints", "tree_leaves", "tree_tiles"])
def test_a_crash_between_two_writes_leaves_nothing(sealed: Sealed, table: str) -> None:
    """All of a seal, or nothing; the next one goes on."""
    with sealed.open() as engine:
        submit(engine, "1")
        before = engine.evidence.store.last()
        abort = f"CREATE TRIGGER crash BEFORE INSERT ON {table} BEGIN SELECT RAISE(ROLLBACK, 'crash'); END"
        writer = engine.ledger.recorder.writer
        writer.execute(abort)
        with pytest.raises(StorageError, match="crash"):
            engine.seal()
        writer.execute("DROP TRIGGER crash")
        assert engine.evidence.store.last() == before
        submit(engine, "2")
        point = engine.seal()
        assert point is not None
        assert point.position == engine.ledger.last_position()


def test_a_second_sealer_is_fenced(sealed: Sealed) -> None:
    """Two that saw the same size: one writes, the other is told."""
    with sealed.open() as engine:
        last = engine.evidence.store.last()
        assert last is not None
        point = StoredCheckpoint(last.size + 1, last.previous_size, last.position + 1, b"r", "n", 0)
        with pytest.raises(Outrun):
            engine.evidence.store.add(Addition(point, [], {}))
        assert engine.evidence.store.last() == last


def test_many_sealers_build_one_tree(sealed: Sealed) -> None:
    """Threads of two engines seal while events come: one chain of checkpoints, every leaf once."""
    with sealed.open() as first, sealed.open() as second:
        third = Custody(first.ledger, key_file=str(sealed.keys.path), pin_file=str(sealed.pin))
        stop, pool = threading.Event(), ThreadPoolExecutor(2)
        others = [pool.submit(seal_until, custody, stop) for custody in (second.evidence, third)]
        for number in range(40):
            submit(first, str(number))
            first.seal()
        stop.set()
        assert [other.result() for other in others] == [None, None]
        points = first.evidence.store.checkpoints(0, 10_000)
        assert [point.previous_size for point in points[1:]] == [point.size for point in points[:-1]]
        leaves = [leaf_of_row(row) for row in first.evidence.store.rows_after(0, 100_000)]
        assert points[-1].root == naive_root(leaves)


def seal_until(custody: Custody, stop: threading.Event) -> None:
    """Seal again and again."""
    while not stop.is_set():
        custody.seal()


def test_a_tree_that_goes_back_under_a_running_process_is_refused(sealed: Sealed) -> None:
    """Without a pin, memory is one as long as it lasts."""
    with sealed.open(pin=False) as engine:
        engine.seal()
        with sealed.tampering() as connection:
            size = connection.execute("SELECT max(previous_size) FROM tree_checkpoints").fetchone()[0]
            connection.execute("DELETE FROM tree_checkpoints WHERE size > ?", (size,))
        with pytest.raises(SealRefused, match="went back"):
            engine.seal()


def test_what_others_sealed_after_a_restore_is_not_continued(sealed: Sealed) -> None:
    """The log is as long again, with other events: who saw those that were lost does not sign it."""
    with sealed.open(pin=False) as engine:
        before = engine.seal()
        with sealed.tampering() as connection:
            for table in ("tree_checkpoints", "tree_leaves", "tree_tiles"):
                connection.execute(f"DELETE FROM {table}")
            connection.execute("DELETE FROM events WHERE position = (SELECT max(position) FROM events)")
        with sealed.open(pin=False) as other:
            submit(other, "instead")
            after = other.seal()
            assert before is not None
            assert after is not None
            assert after.size >= before.size
        submit(engine, "later")
        with pytest.raises(SealRefused, match="rewritten while this process had it open"):
            engine.seal()
        assert engine.evidence.store.last() == after


def test_sealing_needs_no_long_transaction(sealed: Sealed) -> None:
    """A log that was never sealed is sealed in steps, each with a checkpoint of its own."""
    with sealed.open(pin=False) as engine:
        with sealed.tampering() as connection:
            for table in ("tree_checkpoints", "tree_leaves", "tree_tiles"):
                connection.execute(f"DELETE FROM {table}")
        from redrive.evidence import sealing

        sealing.MOST_PER_CHECKPOINT = 100
        try:
            point = engine.seal()
        finally:
            sealing.MOST_PER_CHECKPOINT = 4_096
        assert point is not None
        assert len(engine.evidence.store.checkpoints(0, 99)) == -(-point.size // 100)


def test_a_command_cannot_seal(sealed: Sealed) -> None:
    """It would wait for itself."""
    told: list[BaseException] = []

    def listen(_event: redrive.Recorded) -> None:
        try:
            engine.seal()
        except RuntimeError as error:
            told.append(error)

    with sealed.open(listeners=[listen]) as engine:
        submit(engine, "1")
    assert told
