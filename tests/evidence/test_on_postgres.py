"""Evidence of a log on a PostgreSQL server: sealed, verified, exported, and tampered with by whoever owns it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import redrive
from redrive.evidence.keys import KeyFile
from redrive.evidence.verify import main as verify_alone
from redrive.ledger.copying import copy_log
from tests.evidence.sealed import FLOW, NOW_MS, Clock
from tests.stores import location_of, log_url, outside
from tests.stores import store as store  # noqa: PLC0414

RUNS = 300


@pytest.fixture(autouse=True)
def _on_postgres(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDRIVE_TEST_STORE", "postgresql")
    monkeypatch.setenv("REDRIVE_TEST_POSTGRES", request.getfixturevalue("postgres"))


@pytest.fixture(name="sealed")
def _sealed(tmp_path: Path) -> Iterator[redrive.Engine]:
    """A log with two signed and pinned checkpoints; the second lies beyond the first tile."""
    KeyFile(tmp_path / "keys.json").init("test.example/log", NOW_MS)
    with opened(tmp_path) as engine:
        for step in (20, RUNS):
            with engine.batch() as batch:
                for number in range(step):
                    batch.add(engine.local.submit, FLOW, automation="nightly", key=f"{step}-{number}")
            engine.seal()
        yield engine


def opened(folder: Path) -> redrive.Engine:
    """The log of a test."""
    keys, pin = str(folder / "keys.json"), str(folder / "log.pin")
    return redrive.open(log_url(folder / "log.db"), clock=Clock(), views=str(folder), key_file=keys, pin_file=pin)


def tampered(folder: Path, statement: str) -> None:
    """What the owner of the tables can do."""
    with outside(folder / "log.db") as log:
        log.execute("ALTER TABLE events DISABLE TRIGGER USER")
        log.execute(statement)
        log.execute("ALTER TABLE events ENABLE TRIGGER USER")


def test_a_sealed_log_is_verified(sealed: redrive.Engine) -> None:
    """By the pin; views and agenda are what the log says."""
    report = sealed.verify()
    assert (report.result, report.findings) == (redrive.VerifyResult.VERIFIED, ())
    assert report.views.state == report.agenda.state == "equal"


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ("UPDATE events SET state = set_byte(state, 40, get_byte(state, 40) # 1) WHERE position = 300", 300),
        ("UPDATE events SET recorded_at_ms = recorded_at_ms + 1 WHERE position = 7", 7),
        ("UPDATE events SET topic = 'run.paused/1' WHERE position = 9", 9),
        ("UPDATE events SET originator_version = 2 WHERE position = 11", 11),
        ("DELETE FROM events WHERE position = 10", 10),
    ],
)
def test_what_the_owner_changes_is_found(sealed: redrive.Engine, tmp_path: Path, statement: str, position: int) -> None:
    """One bit, one row: the leaf is named."""
    tampered(tmp_path, statement)
    report = sealed.verify(views=False, agenda=False)
    assert report.result is redrive.VerifyResult.TAMPERED
    assert position in [finding.position for finding in report.findings]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW more AS SELECT 1",
        "CREATE RULE nothing AS ON INSERT TO events DO INSTEAD NOTHING",
        "DROP INDEX events_stream",
        "CREATE TRIGGER mine BEFORE INSERT ON agenda EXECUTE FUNCTION events_append_only()",
        "CREATE TRIGGER events_no_more BEFORE INSERT ON events EXECUTE FUNCTION events_append_only()",
        "CREATE OR REPLACE FUNCTION events_append_only() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "ALTER TABLE events ENABLE ROW LEVEL SECURITY",
        "DELETE FROM tree_checkpoints WHERE size > 100",
    ],
)
def test_what_lies_beside_the_rows_is_looked_at(sealed: redrive.Engine, tmp_path: Path, statement: str) -> None:
    """Views, rules, triggers, indexes, and checkpoints that the pin knows."""
    tampered(tmp_path, statement)
    assert sealed.verify(views=False, agenda=False).result is redrive.VerifyResult.TAMPERED


def test_a_bundle_is_verified_without_the_server(sealed: redrive.Engine, tmp_path: Path) -> None:
    """By the single file, and opened again as a log."""
    bundle = tmp_path / "case.redrive"
    sealed.export(str(bundle), positions=(1, sealed.ledger.last_position()))
    assert verify_alone([str(bundle), "--pin", str(tmp_path / "log.pin")]) == 0
    with redrive.open_bundle(str(bundle)) as again:
        assert len(again.local.runs(limit=500).items) == RUNS + 20


def test_a_copy_on_another_store_keeps_every_proof(sealed: redrive.Engine, tmp_path: Path) -> None:
    """From the server to a file: the same identity, positions, tree; the pin still holds."""
    sealed.close()
    with outside(tmp_path / "log.db") as log:
        before = log.execute("SELECT name, value FROM meta ORDER BY name").fetchall()
    copied = copy_log(location_of(tmp_path / "log.db"), str(tmp_path / "copy.db"))
    assert copied.events == copied.last_position
    with outside(tmp_path / "log.db") as log:
        assert log.execute("SELECT name, value FROM meta ORDER BY name").fetchall() == before
    url, pin = f"sqlite:///{tmp_path / 'copy.db'}", str(tmp_path / "log.pin")
    with redrive.open(url, clock=Clock(), key_file=str(tmp_path / "keys.json"), pin_file=pin) as engine:
        assert engine.verify().result is redrive.VerifyResult.VERIFIED
        assert engine.ledger.agenda_rows() == engine.ledger.agenda_from_log()
