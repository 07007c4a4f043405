"""Tampering is found: by the thousand, on a real log, with the leaf named; or it is declared beyond what is found."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import redrive
from redrive.evidence.leaves import leaf_of_row
from redrive.evidence.notes import Checkpoint, Signer, signed
from tests.evidence import tampering
from tests.evidence.sealed import FLOW, Sealed, work_one
from tests.evidence.tampering import Mutation

RENAME = "UPDATE events SET state = CAST(replace(state, 'nightly', 'hourly') AS BLOB)"


def report_of(sealed: Sealed, *, pin: bool = True, policy: redrive.VerifyPolicy | None = None) -> redrive.VerifyReport:
    """What verifying finds; views and agenda have tests of their own."""
    with sealed.open(pin=pin) as engine:
        return engine.verify(policy, views=False, agenda=False)


def undetected(sealed: Sealed, found: list[Mutation]) -> list[str]:
    """Those that verify does not find, or whose leaf it does not name first; each is undone before the next."""
    missed = []
    with sealed.open(pin=False) as engine, sealed.tampering() as connection:
        for mutation in found:
            connection.execute("SAVEPOINT one")
            mutation.do(connection)
            report = verified(engine, connection)
            named = report.findings[0].leaf if report.findings else None
            if report.result != "TAMPERED" or (mutation.leaf is not None and named != mutation.leaf):
                missed.append(f"{mutation.name}: {report.result}, leaf {named}")
            connection.execute("ROLLBACK TO one")
    return missed


def verified(engine: redrive.Engine, connection: sqlite3.Connection) -> redrive.VerifyReport:
    """Verify what *connection* sees, also before it commits."""
    reader = engine.ledger.recorder.reader
    engine.ledger.recorder.reader = lambda: connection  # type: ignore[method-assign]
    try:
        return engine.verify(views=False, agenda=False)
    finally:
        engine.ledger.recorder.reader = reader  # type: ignore[method-assign]


def test_mutations_are_found_and_named(sealed: Sealed) -> None:
    """Bytes, columns, types, order, tiles, leaves, checkpoints: a sample."""
    assert undetected(sealed, tampering.of_each_kind(sealed.path, 25, seed=1)) == []


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 6))
def test_thousands_of_mutations_are_found_and_named(sealed: Sealed, seed: int) -> None:
    """The same, by the thousand."""
    assert undetected(sealed, tampering.of_each_kind(sealed.path, 250, seed)) == []


def test_an_untouched_log_is_verified(sealed: Sealed) -> None:
    """By its pin; without it, it only agrees with itself."""
    assert report_of(sealed).result == "VERIFIED"
    assert report_of(sealed, pin=False).result == "SELF-CONSISTENT"


def test_what_was_changed_is_named_with_the_last_good_checkpoint(sealed: Sealed) -> None:
    """Leaf, stream and version, proven by the tree."""
    sealed.sql(f"{RENAME} WHERE position = 301")
    report = report_of(sealed)
    first = report.findings[0]
    assert (report.result, report.last_good_size, report.matched) == ("TAMPERED", 71, report.size - 1)
    assert (first.kind, first.leaf, first.position, first.version, first.exact) == ("row", 300, 301, 1, True)


def test_a_checkpoint_beyond_a_changed_column_is_not_good(sealed: Sealed) -> None:
    """Columns are no part of a leaf: the root of the checkpoint agrees, the rows before it do not."""
    sealed.sql("UPDATE events SET tenant = 'x/y/z' WHERE position = 11")
    report = report_of(sealed)
    assert (report.result, report.last_good_size, report.matched) == ("TAMPERED", 0, report.size)
    assert (report.findings[0].kind, report.findings[0].leaf) == ("column", 10)


def test_an_edited_tile_is_not_blamed_on_the_row(sealed: Sealed) -> None:
    """The other tiles prove that the row is what was sealed."""
    with sealed.tampering() as connection:
        retiled(connection, 10, b"x" * 32)
    report = report_of(sealed)
    assert (report.result, report.matched) == ("TAMPERED", report.size)
    assert [(finding.kind, finding.position) for finding in report.findings] == [("tile", 11)]


def retiled(connection: sqlite3.Connection, leaf: int, to: bytes) -> None:
    """Put another hash for a leaf of the first tile."""
    (stored,) = connection.execute("SELECT hashes FROM tree_tiles WHERE level = 0 AND tile = 0").fetchone()
    changed = stored[: leaf * 32] + to + stored[leaf * 32 + 32 :]
    connection.execute("UPDATE tree_tiles SET hashes = ? WHERE level = 0 AND tile = 0", (changed,))


def test_a_row_and_its_tile_edited_together_are_found(sealed: Sealed) -> None:
    """The root does not follow; the leaves in doubt are bounded."""
    with sealed.tampering() as connection:
        connection.execute("UPDATE events SET state = X'7B7D' WHERE position = 11")
        retiled(connection, 10, leaf_of_row(tampering.rows(connection)[10]))
    report = report_of(sealed)
    assert (report.result, report.last_good_size) == ("TAMPERED", 0)
    assert any("leaves 0 to 255" in finding.what for finding in report.findings)


def cut(sealed: Sealed) -> None:
    """Tail, tiles, leaves and checkpoints go back to the second checkpoint: all of it agrees."""
    with sealed.tampering() as connection:
        size, position = connection.execute(
            "SELECT size, position FROM tree_checkpoints ORDER BY size LIMIT 1 OFFSET 1"
        ).fetchone()
        connection.execute("DELETE FROM events WHERE position > ?", (position,))
        resealed(connection, size)


def resealed(connection: sqlite3.Connection, size: int, signers: tuple[Signer, ...] = ()) -> None:
    """Build the tree anew from the rows as they are, with one checkpoint; signed when the key was stolen."""
    from redrive.evidence.sealing import origin_of
    from tests.evidence.trees import Tiles

    log = tampering.rows(connection)[:size]
    tiles = Tiles(map(leaf_of_row, log))
    for table in ("tree_leaves", "tree_tiles"):
        connection.execute(f"DELETE FROM {table}")
    connection.executemany("INSERT INTO tree_leaves VALUES (?, ?)", [(n, row[0]) for n, row in enumerate(log)])
    connection.executemany(
        "INSERT INTO tree_tiles VALUES (?, ?, ?)", [(*at, bytes(hashes)) for at, hashes in tiles.stored.items()]
    )
    ledger = connection.execute("SELECT value FROM meta WHERE name = 'ledger_id'").fetchone()[0]
    root = tiles.frontier.root()
    note = str(signed(Checkpoint(origin_of(ledger), len(log), root).text(), signers))
    connection.execute("DELETE FROM tree_checkpoints")
    values = (len(log), 0, log[-1][0], root, note, 0)
    connection.execute("INSERT INTO tree_checkpoints VALUES (?, ?, ?, ?, ?, ?)", values)


def rewritten(sealed: Sealed, signers: tuple[Signer, ...]) -> None:
    """An early event is changed, and everything after it sealed anew."""
    with sealed.tampering() as connection:
        connection.execute(
            "UPDATE events SET state = CAST(replace(state, 'nightly', 'nightlx') AS BLOB) WHERE position = 9"
        )
        resealed(connection, 10_000, signers)


def keeper(sealed: Sealed, tmp_path: Path) -> redrive.VerifyPolicy:
    """Somebody who kept the last checkpoint, and trusts the key."""
    kept = tmp_path / "kept.txt"
    kept.write_text(sealed.pin.read_text())
    return redrive.VerifyPolicy(checkpoints=[str(kept)], trust=[str(sealed.keys.read()[0].verifier)])


def trusting(sealed: Sealed) -> redrive.VerifyPolicy:
    """Somebody who trusts the key, and has kept nothing."""
    return redrive.VerifyPolicy(trust=[str(sealed.keys.read()[0].verifier)])


def test_a_cut_log_is_found_by_pin_and_kept_checkpoint_only(sealed: Sealed, tmp_path: Path) -> None:
    """Nothing within the database tells that there was more; nobody says VERIFIED of it without an anchor."""
    policy = keeper(sealed, tmp_path)
    cut(sealed)
    assert report_of(sealed).result == "TAMPERED"
    assert report_of(sealed, pin=False, policy=policy).result == "TAMPERED"
    assert report_of(sealed, pin=False).result == "SELF-CONSISTENT"


def test_an_old_copy_is_found_by_pin_and_kept_checkpoint_only(sealed: Sealed, template: Path, tmp_path: Path) -> None:
    """Its key's signature is genuine: by itself it shows nothing of what came later."""
    with sealed.open() as engine:
        engine.local.submit(FLOW, automation="later", key="1")
        engine.seal()
    policy = keeper(sealed, tmp_path)
    shutil.copy(template / "ops.db", sealed.path)
    assert report_of(sealed).result == "TAMPERED"
    assert report_of(sealed, pin=False, policy=policy).result == "TAMPERED"
    report = report_of(sealed, pin=False, policy=trusting(sealed))
    assert report.result == "VERIFIED"
    assert "cut off" in report.anchors[0].detail


def test_a_rewritten_log_without_the_key_is_never_verified(sealed: Sealed, tmp_path: Path) -> None:
    """Sealed anew by nobody, or by somebody else."""
    thief = Signer("test.example/log", b"t" * 32)
    policy = keeper(sealed, tmp_path)
    for signers in ((), (thief,)):
        rewritten(sealed, signers)
        assert report_of(sealed, pin=False, policy=trusting(sealed)).result == "INCOMPLETE"
        assert report_of(sealed, pin=False, policy=policy).result == "TAMPERED"
        assert report_of(sealed).result == "TAMPERED"
        assert report_of(sealed, pin=False).result == "SELF-CONSISTENT"


def test_a_stolen_key_is_found_by_what_was_kept(sealed: Sealed, tmp_path: Path) -> None:
    """Pin, kept checkpoint, witness: the key alone is no protection against whoever has it."""
    stolen = sealed.keys.read()[0].signer
    assert stolen is not None
    policy = keeper(sealed, tmp_path)
    rewritten(sealed, (stolen,))
    assert report_of(sealed).result == "TAMPERED"
    assert report_of(sealed, pin=False, policy=policy).result == "TAMPERED"
    assert report_of(sealed, pin=False, policy=trusting(sealed)).result == "VERIFIED"


def test_what_is_not_sealed_is_in_the_window_that_is_printed(sealed: Sealed) -> None:
    """An edit there is not found: its bounds are told."""
    with sealed.open() as engine:
        engine.local.submit(FLOW, automation="nightly", key="later")
    sealed.sql(f"{RENAME} WHERE position > 479")
    report = report_of(sealed)
    assert (report.result, report.unsealed) == ("VERIFIED", 1)
    assert report.unsealed_since_ms is not None


def test_a_stopped_sealer_is_stale(sealed: Sealed) -> None:
    """The oldest unsealed event is older than is allowed."""
    with sealed.open() as engine:
        engine.local.submit(FLOW, automation="later", key="1")
    policy = redrive.VerifyPolicy(freshness_ms=1_000)
    with sealed.open(now_ms=1_900_000_000_000) as engine:
        report = engine.verify(policy, views=False, agenda=False)
        assert report.result == "STALE"
        assert report.stale[0].endswith(" s; 1 s are allowed")
        engine.seal()
        assert engine.verify(policy, views=False, agenda=False).result == "VERIFIED"


def test_a_log_that_was_never_sealed_is_incomplete(tmp_path: Path) -> None:
    """There is nothing to hold it against."""
    with redrive.open(f"sqlite:///{tmp_path}/ops.db") as engine:
        engine.local.submit(FLOW, automation="later", key="1")
        report = engine.verify()
        assert (report.result, report.size, report.unsealed) == ("INCOMPLETE", 0, engine.ledger.last_position())
        assert (report.footing.position, report.footing.seal) == (engine.ledger.last_position(), "unsealed")


@pytest.mark.parametrize(
    "statement", ["UPDATE runs SET status = 'completed' WHERE automation = 'nightly'", "DELETE FROM dead_letters"]
)
def test_a_tampered_view_is_found(sealed: Sealed, statement: str) -> None:
    """It is built anew and compared, row by row."""
    with sealed.open() as engine:
        assert engine.verify().views.state == "equal"
        with closing(sqlite3.connect(str(engine.views.path))) as connection:
            connection.execute(statement)
            connection.commit()
        report = engine.verify(agenda=False)
        assert (report.result, report.views.state, report.findings[0].kind) == ("TAMPERED", "different", "view")
        assert engine.verify(views=False, agenda=False).views.state == "skipped"


@pytest.mark.parametrize(
    "statement", ["DELETE FROM agenda WHERE kind = 'run'", "UPDATE agenda SET due_ms = due_ms + 1"]
)
def test_a_tampered_agenda_is_found(sealed: Sealed, statement: str) -> None:
    """What is due is what the log says is due."""
    sealed.sql(statement)
    with sealed.open() as engine:
        report = engine.verify(views=False)
        assert (report.result, report.findings[0].kind) == ("TAMPERED", "agenda")
        assert "of the agenda" in report.findings[0].what


def test_work_goes_on_after_verifying(sealed: Sealed) -> None:
    """Verifying changes nothing."""
    with sealed.open() as engine:
        engine.verify()
        work_one(engine)
        engine.seal()
        assert engine.verify().result == "VERIFIED"


def test_an_anchor_of_no_events_vouches_for_nothing(sealed: Sealed, tmp_path: Path) -> None:
    """Every log goes on from the empty one: it must not make one VERIFIED."""
    origin = sealed.pin.read_text().split("\n")[0]
    empty = tmp_path / "empty.txt"
    empty.write_text(f"{origin}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
    report = report_of(sealed, pin=False, policy=redrive.VerifyPolicy(checkpoints=[str(empty)]))
    assert (report.result, report.anchors[0].agrees) == ("SELF-CONSISTENT", None)
