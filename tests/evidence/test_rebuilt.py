"""Whatever answers questions in the place of the log is compared with it: views, their indexes, their checkpoints."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import redrive
from redrive.evidence.report import VerifyReport
from redrive.forensics import checkpoints
from redrive.forensics.past import keep_checkpoints
from redrive.ledger.ledger import LogLedger
from redrive.privacy.encryption import Encryption
from tests.evidence.sealed import Sealed
from tests.privacy.vault import Vault

HIDE = "UPDATE runs SET status = 'completed' WHERE automation = 'nightly'"
FORGET = "INSERT INTO texts_fts (texts_fts, rowid, body) SELECT 'delete', rowid, body FROM texts"
TRIGGER = "CREATE TRIGGER texts_fts_x AFTER UPDATE ON runs BEGIN SELECT 1; END"


def edited(path: Path | str, statement: str) -> None:
    """One statement by somebody who may write the file."""
    with closing(sqlite3.connect(str(path))) as connection:
        assert connection.execute(statement).rowcount != 0
        connection.commit()


def misindexed(path: Path | str) -> None:
    """An index that says other than its table, as ``writable_schema`` allows."""
    with closing(sqlite3.connect(str(path), isolation_level=None)) as connection:
        [(name, sql)] = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'runs' AND sql IS NOT NULL LIMIT 1"
        )
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = sql || ' WHERE 0' WHERE name = ?", (name,))
        connection.execute("PRAGMA writable_schema = RESET")
        connection.execute(f'REINDEX "{name}"')
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, name))


@pytest.fixture
def every(monkeypatch: pytest.MonkeyPatch) -> int:
    """View checkpoints at short distances."""
    monkeypatch.setattr(checkpoints, "LEAST_EVERY", 100)
    return 100


def verified(sealed: Sealed, before: Callable[[redrive.Engine], object]) -> VerifyReport:
    """What verify finds after something was done to the views."""
    with sealed.open() as engine:
        engine.views.catch_up()
        before(engine)
        return engine.verify(agenda=False)


def test_a_tampered_view_checkpoint_is_found(sealed: Sealed, every: int) -> None:
    """It would answer what was there at a position, in the place of the log."""

    def tamper(engine: redrive.Engine) -> None:
        kept = keep_checkpoints(engine, every)
        assert len(kept.positions()) >= 4
        assert engine.verify().views.detail.count("4 view checkpoint(s)") == 1
        edited(kept._path(300), HIDE)
        with engine.at("pos:300", checkpoint_events=every) as past:
            assert past.local.runs().items

    report = verified(sealed, tamper)
    assert (report.result, report.findings[0].kind) == ("TAMPERED", "view")
    assert "view checkpoint at 300: table runs" in report.findings[0].what


def test_a_view_checkpoint_that_nobody_would_use_is_passed_over(sealed: Sealed, every: int) -> None:
    """Of other code, or of another log: it is written anew when it is needed."""

    def outdated(engine: redrive.Engine) -> None:
        edited(keep_checkpoints(engine, every)._path(300), "UPDATE view SET fingerprint = 'older'")

    report = verified(sealed, outdated)
    assert (report.result, report.views.detail.count("3 view checkpoint(s)")) == ("VERIFIED", 1)


def test_an_index_of_ones_own_is_no_tampering(sealed: Sealed) -> None:
    """Whoever asks the views much adds one."""
    report = verified(sealed, lambda engine: edited(str(engine.views.path), "CREATE INDEX more ON runs (automation)"))
    assert (report.result, report.views.state) == ("VERIFIED", "equal")


@pytest.mark.parametrize("statement", [FORGET, TRIGGER])
def test_full_text_and_triggers_of_a_view_are_looked_at(sealed: Sealed, statement: str) -> None:
    """What a search cannot find is as good as deleted; what a trigger does, it does later."""
    report = verified(sealed, lambda engine: edited(str(engine.views.path), statement))
    assert (report.result, report.views.state) == ("TAMPERED", "different")


def test_an_index_that_says_other_than_its_table_is_found(sealed: Sealed) -> None:
    """The rows are right, and a query does not find them."""
    report = verified(sealed, lambda engine: misindexed(str(engine.views.path)))
    assert (report.result, report.views.state) == ("TAMPERED", "different")


def test_a_key_that_is_destroyed_meanwhile_is_no_tampering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was folded before differs from what is folded after: it is to be asked again."""
    vault = Vault(tmp_path)
    vault.filled()
    replay, once = LogLedger.replay, [vault.destroy]

    def destroying(self: LogLedger, *arguments: object, **named: object) -> object:
        if once and vault.engine.views.position:
            once.pop()()
        return replay(self, *arguments, **named)  # type: ignore[arg-type]

    vault.engine.seal()
    monkeypatch.setattr(LogLedger, "replay", destroying)
    report = vault.engine.verify(agenda=False)
    assert isinstance(vault.engine.ledger.recorder.encryption, Encryption)
    assert (report.result, once) == ("INCOMPLETE", [])
    assert vault.engine.verify(agenda=False).result == "SELF-CONSISTENT"
    vault.engine.close()
