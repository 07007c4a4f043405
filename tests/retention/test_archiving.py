"""Archiving: what is moved cannot be told from what is not, whatever is asked."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

import redrive
from redrive import ArchiveUnreadable, InvalidValue, KeyReused, RunId, StaleAttempt, StorageError
from redrive.domain.records import RecordsArchived
from redrive.privacy.options import Privacy
from redrive.retention import archiving
from tests.privacy.vault import CANARY
from tests.processes.workshop import ANA, BROKEN, ONE, Shop, beside, nothing_written, policy
from tests.retention.attic import DAY_MS, Attic
from tests.stores import in_postgres


def test_everything_is_as_before(attic: Attic) -> None:
    """Queries, histories, runs in full: at once, after a restart, and from views that are folded anew."""
    attic.completed("k1")
    attic.unsettled()
    attic.completed("k2")
    attic.age()
    before = attic.everything()
    done = attic.archive()
    assert done.runs == 2
    assert attic.everything() == before
    attic.reopen()
    assert attic.everything() == before
    attic.engine.views.rebuild()
    assert attic.everything() == before


def test_the_states_leave_the_log(attic: Attic) -> None:
    """Headers and positions stay; the bytes are in the archive."""
    run, states = attic.completed(), []
    states = attic.stored(run)
    attic.age()
    done = attic.archive()
    assert attic.stored(run) == [b""] * len(states)
    archive = attic.file.read_bytes()
    assert all(state in archive for state in states)
    assert (done.events, done.bytes) == (len(states), sum(map(len, states)))


def test_the_archiving_is_an_event(attic: Attic) -> None:
    """With who, why, which and how many; the flows and policies that others use stay."""
    attic.completed()
    attic.age()
    positions = [event.position for event in attic.log() if event.topic.partition(".")[0] not in ("flow", "policy")]
    done = attic.archive()
    said = attic.log()[-1]
    assert isinstance(said.event, RecordsArchived)
    assert (said.actor.id, said.reason, said.position) == ("ana", ANA["reason"], done.last_position)
    ranges = said.event.positions
    assert [p for first, last in ranges for p in range(first, last + 1)] == positions
    assert (said.event.archive, said.event.file, said.event.runs) == (done.archive, "old.archive", 1)


@pytest.mark.parametrize("why", ["queued", "failed", "letter", "unknown"])
def test_what_is_unsettled_is_never_archived(attic: Attic, why: str) -> None:
    """Unfinished; failed; with an open dead letter; with an effect whose outcome nobody knows."""
    runs = attic.unsettled()
    attic.age(10_000)
    done = attic.archive(0)
    assert (done.runs, done.events) == (0, 0)
    assert b"" not in attic.stored(runs[why])


def test_a_parked_dead_letter_is_never_archived(attic: Attic) -> None:
    """It waits for an operator, however long, even when its run was cancelled."""
    letter = attic.letter(beside("a", retry=policy(1)))
    run = attic.acme.dead_letter(letter).run_id
    attic.acme.request_retry(letter, **ANA)
    for _ in range(9):
        if attic.status(letter) == "parked":
            break
        attic.age(1)
        attic.engine.sweep()
        if claim := attic.acme.claim(worker="w", start=True):
            attic.fail(*claim.attempts, failure=BROKEN)
    assert attic.status(letter) == "parked"
    attic.acme.cancel(RunId(run), **ANA)
    attic.age(10_000)
    assert attic.archive(0).unsettled == 1
    assert b"" not in attic.stored(RunId(run))


def test_only_what_is_old_is_archived(attic: Attic) -> None:
    """All of it: a note of yesterday keeps a run in the log."""
    old, noted = attic.completed("old"), attic.completed("noted")
    attic.age(100)
    attic.acme.note(noted, "looked at again", actor="ana")
    new = attic.completed("new")
    attic.age(1)
    assert attic.archive(90).runs == 1
    assert [b"" in attic.stored(run) for run in (old, noted, new)] == [True, False, False]


def test_a_dry_run_only_tells(attic: Attic) -> None:
    """The same numbers; nothing is written, not even a file."""
    attic.completed()
    attic.age()
    before = attic.engine.ledger.last_position()
    told = attic.archive(dry_run=True)
    assert attic.engine.ledger.last_position() == before
    assert not attic.file.exists()
    done = attic.archive()
    assert (told.runs, told.events, told.bytes) == (done.runs, done.events, done.bytes)


def test_archiving_again_moves_nothing_twice(attic: Attic) -> None:
    """What came later is added; a note on an archived run as well."""
    run = attic.completed("k1")
    attic.age()
    attic.archive()
    attic.acme.note(run, "late", actor="ana")
    assert (attic.archive().events, attic.engine.ledger.last_position()) == (0, attic.log()[-1].position)
    attic.completed("k2")
    attic.age()
    done = attic.archive()
    assert done.runs == 2
    assert sum(isinstance(event.event, RecordsArchived) for event in attic.log()) == 2
    assert "late" in str(attic.acme.history(run))


def test_what_is_archived_is_not_judged_again(attic: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many nights come: not under the write lock, and no other archive is begun for nothing."""
    for key in ("k1", "k2"):
        attic.completed(key)
    attic.age()
    attic.archive()
    judged: list[str] = []
    monkeypatch.setattr(archiving, "_judge", lambda _tx, _connection, run, *_: judged.append(run))
    other = attic.file.with_name("other.archive")
    assert (attic.archive(to=str(other)).runs, judged, other.exists()) == (0, [], False)
    noted = RunId(attic.acme.runs().items[0].run_id)
    attic.acme.note_dead_letter(attic.acme.dead_letters(run=noted).items[0].id, "late", actor="ana")
    attic.age()
    attic.archive()
    assert judged == [noted]


def test_the_same_key_is_still_the_same_run(attic: Attic) -> None:
    """For ever; and still refused with another input."""
    run = attic.completed("k")
    attic.age()
    attic.archive()
    attic.reopen()
    flow = redrive.Flow([redrive.Node("a")])
    with pytest.raises(KeyReused):
        attic.submit(flow, key="k", input="other")
    again = attic.acme.history(run).items[2].data
    assert again["run"] == run


@pytest.mark.sqlite_only
def test_late_reports_are_answered_as_before(attic: Attic) -> None:
    """The identical one is no news, another one is refused; neither writes."""
    attic.submit(ONE)
    attempt = attic.claim().attempts[0]
    attic.acme.complete_attempt(attempt, "done")
    attic.age()
    attic.archive()
    attic.reopen()
    before = attic.engine.ledger.last_position()
    assert attic.acme.complete_attempt(attempt, "done").status == "completed"
    assert attic.engine.ledger.last_position() == before
    nothing_written(attic, redrive.Refused, lambda: attic.acme.complete_attempt(attempt, "other"))
    assert issubclass(StaleAttempt, redrive.Refused)


def test_the_log_stays_append_only(attic: Attic) -> None:
    """The trigger is there again."""
    attic.completed()
    attic.age()
    attic.archive()
    for change in ("UPDATE events SET topic = 'x'", "DELETE FROM events", "UPDATE events SET state = ''"):
        with pytest.raises(Exception, match="append-only"):
            attic.engine.ledger.recorder.writer.execute(change)


def test_an_engine_that_was_open_reads_on(attic: Attic) -> None:
    """Another process, another connection: nothing needs to be opened anew."""
    run = attic.completed()
    other = Shop(attic.path)
    before = str(other.acme.history(run))
    attic.age()
    attic.archive()
    assert str(other.acme.history(run)) == before
    other.engine.close()


@pytest.mark.sqlite_only
# The archive and the log


def test_a_missing_archive_is_named(attic: Attic, tmp_path: Path) -> None:
    """What needs it says so; everything else goes on; put back, also beside the log, it is read again."""
    run, elsewhere = attic.completed(), tmp_path / "elsewhere"
    elsewhere.mkdir()
    attic.file = elsewhere / "old.archive"
    attic.age()
    attic.archive()
    attic.reopen()
    attic.file.rename(elsewhere / "hidden")
    with pytest.raises(ArchiveUnreadable, match=r"old\.archive"):
        attic.acme.history(run)
    with pytest.raises(ArchiveUnreadable):
        attic.engine.views.rebuild()
    assert attic.engine.verify().result == "INCOMPLETE"
    attic.acme.complete_attempt(attic.attempt(), "others go on")
    (elsewhere / "hidden").rename(tmp_path / "old.archive")
    assert attic.acme.history(run).items


def test_a_damaged_archive_is_no_history(attic: Attic) -> None:
    """Nothing is made up of what it holds."""
    run = attic.completed()
    attic.age()
    attic.archive()
    data = attic.file.read_bytes()
    attic.file.write_bytes(data.replace(b"no luck", b"my luck"))
    with pytest.raises(ArchiveUnreadable, match="not what was archived"):
        attic.acme.history(run)
    attic.file.write_bytes(data)


@pytest.mark.sqlite_only
def test_proofs_stay(attic: Attic) -> None:
    """A leaf needs the digest of a state, not the state."""
    attic.completed()
    attic.engine.evidence.seal()
    sealed = attic.engine.verify().matched
    attic.age()
    attic.archive()
    report = attic.engine.verify()
    assert (report.result, report.matched >= sealed, report.archived > 0) == ("SELF-CONSISTENT", True, True)


def test_encrypted_records_are_archived_as_they_are(tmp_path: Path) -> None:
    """What comes later to an archived run is encrypted too, and a destroyed key destroys what is in the archive."""
    attic = Attic(tmp_path, privacy=Privacy(str(tmp_path / "keys")))
    run = attic.submit(ONE, subject="ana", input=CANARY)
    attic.acme.complete_attempt(attic.claim().attempts[0], CANARY)
    attic.age()
    attic.archive()
    attic.reopen()
    attic.acme.note(run, f"late {CANARY}", actor="ana")
    assert CANARY in str(attic.acme.history(run))
    attic.engine.views.close()
    log = [] if in_postgres() else [attic.path.read_bytes(), Path(f"{attic.path}-wal").read_bytes()]
    assert not [data for data in (*log, *attic.stored(run), attic.file.read_bytes()) if CANARY.encode() in data]
    attic.reopen()
    attic.engine.destroy_key("ana", tenant=attic.acme.tenant, actor="dpo", reason="x")
    assert CANARY not in str(attic.acme.history(run))
    attic.engine.close()


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "bad",
    [
        {"older_than_ms": -1},
        {"older_than_ms": 1.5},
        {"to": ""},
        {"to": 5},
        {"dry_run": 1},
        {"reason": ""},
        {"actor": ""},
    ],
)
def test_bad_values_move_nothing(attic: Attic, bad: dict[str, Any]) -> None:
    """Each is named."""
    attic.completed()
    attic.age()
    nothing_written(attic, InvalidValue, lambda: attic.archive(**bad))
    assert not attic.file.exists()


def test_an_archive_that_cannot_be_written_moves_nothing(attic: Attic) -> None:
    """Nor does the log itself become one."""
    run = attic.completed()
    attic.age()
    its_own = () if in_postgres() else (str(attic.path),)
    for to in (*its_own, "/proc/none", str(attic.path.parent)):
        nothing_written(attic, StorageError, partial(attic.archive, to=to))
    assert b"" not in attic.stored(run)
    assert attic.archive(0, dry_run=True).before_ms == attic.now - 0 * DAY_MS
