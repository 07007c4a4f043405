"""What was archived is evidence like the rest: its columns are compared, its bytes proven, its bundles whole."""

import pytest

import redrive
from redrive import ArchiveUnreadable, RunId, VerifyReport
from tests.retention.attic import Attic
from tests.stores import outside, unguard


def archived(attic: Attic) -> RunId:
    """A run of which the log has nothing left but its headers, all of it sealed."""
    run = attic.completed()
    attic.age()
    attic.archive()
    attic.engine.seal()
    return run


def tampered(attic: Attic, statement: str, *values: object) -> VerifyReport:
    """What verify finds after one statement by somebody who may write everything, without the views to help it."""
    with outside(attic.path) as connection:
        unguard(connection)
        connection.execute(statement, values)
    return attic.engine.verify(views=False, agenda=False)


@pytest.mark.parametrize("column", ["tenant", "correlation"])
def test_columns_of_an_archived_event_are_compared(attic: Attic, column: str) -> None:
    """With what its archive says: another tenant's column would show it to that tenant."""
    run = archived(attic)
    position = attic.engine.ledger.stream(run)[0].position
    before = getattr(attic.engine.ledger.at_positions([position])[0], column)
    report = tampered(attic, f"UPDATE events SET {column} = 'evil/evil/evil' WHERE position = ?", position)
    assert report.result == "TAMPERED"
    assert [(found.kind, found.position) for found in report.findings] == [("column", position)]
    tampered(attic, f"UPDATE events SET {column} = ? WHERE position = ?", str(before), position)
    assert attic.engine.verify().result == "SELF-CONSISTENT"


def test_the_kept_id_of_an_archived_event_is_its_own(attic: Attic) -> None:
    """Who asks by id would be told of another event."""
    run = archived(attic)
    event = attic.engine.ledger.stream(run)[0]
    report = tampered(attic, "UPDATE archived SET event_id = 'another' WHERE position = ?", event.position)
    assert (report.result, report.findings[0].position) == ("TAMPERED", event.position)
    tampered(attic, "UPDATE archived SET event_id = ? WHERE position = ?", event.event_id, event.position)
    assert attic.engine.verify().result == "SELF-CONSISTENT"


def test_a_changed_archive_is_named_by_its_leaf(attic: Attic) -> None:
    """Its bytes are what was sealed, wherever they lie."""
    archived(attic)
    data = attic.file.read_bytes()
    attic.file.write_bytes(data.replace(b"no luck", b"my luck"))
    report = attic.engine.verify(views=False, agenda=False)
    attic.file.write_bytes(data)
    assert (report.result, report.findings[0].kind) == ("TAMPERED", "archive")
    assert report.findings[0].leaf is not None


def test_an_event_whose_state_was_taken_away_is_missed(attic: Attic) -> None:
    """Digest and length are all that a leaf needs: it is not said that the event is there when nobody has it."""
    archived(attic)
    attic.file.rename(attic.file.with_name("gone"))
    attic.reopen()
    report = attic.engine.verify(views=False, agenda=False)
    attic.file.with_name("gone").rename(attic.file)
    assert report.result == "INCOMPLETE"
    assert "old.archive" in report.missing[0]


def test_a_bundle_holds_what_was_archived(attic: Attic) -> None:
    """Opened elsewhere, it tells the same as the log; the flow and the policies that it names are in it."""
    run = archived(attic)
    bundle = attic.path.with_name("case.tar")
    attic.engine.export(bundle, run=run)
    with redrive.open_bundle(bundle) as opened:
        acme = opened.for_tenant(attic.acme.tenant)
        assert acme.history(run).items == attic.acme.history(run).items
        assert acme.dead_letters().items == attic.acme.dead_letters().items


def test_without_its_archive_a_run_is_not_handed_over_in_part(attic: Attic) -> None:
    """It is said what is missing, and nothing is written; that it happened can be shown all the same."""
    run = archived(attic)
    bundle = attic.path.with_name("case.tar")
    attic.file.rename(attic.file.with_name("gone"))
    attic.reopen()
    with pytest.raises(ArchiveUnreadable):
        attic.engine.export(bundle, run=run)
    assert not bundle.exists()
    assert attic.engine.export(bundle, positions=(1, attic.engine.ledger.last_position()), states=False).entries > 10
    attic.file.with_name("gone").rename(attic.file)
