"""The agenda of one commit, gathered: as if each row had been written when it was put."""

from collections.abc import Callable, Iterator

import pytest

from redrive.domain.identity import RunId
from redrive.ledger.agenda import Agenda
from redrive.ledger.agenda_rows import AgendaRow
from redrive.ledger.database import Connection
from redrive.ledger.postgres import appending
from redrive.ledger.postgres.appending import portions
from redrive.ledger.postgres.gathering import GatheringAgenda
from tests.engine.outworld import Till

MP = pytest.MonkeyPatch
Act = Callable[[Agenda], None]
R = RunId("r")


@pytest.fixture
def writer(till: Till) -> Iterator[Connection]:
    """In a transaction that is undone."""
    recorder = till.engine.ledger.recorder
    recorder.begin()
    yield recorder.writer
    recorder.rollback()


def row(subject: str, needs: str = "", due_ms: int | None = 5, kind: str = "run") -> AgendaRow:
    """A row, of the run *R* when it is a dead letter's."""
    return AgendaRow(subject, kind, due_ms, 1, "a/b/c", needs, R if kind == "dead_letter" else subject, 7)


def put(*rows: AgendaRow) -> Act:
    """Put rows."""

    def act(agenda: Agenda) -> None:
        for one in rows:
            agenda.put(one)

    return act


def remove(subject: str) -> Act:
    """Take a subject off."""
    return lambda agenda: agenda.remove(subject)


def arm(redrivable: bool) -> Act:
    """Make the run's dead letters due, or not."""
    return lambda agenda: agenda.arm(R, redrivable)


@pytest.mark.parametrize(
    "acts",
    [
        pytest.param([put(row("s", "h"), row("s", "i"), row("t"))], id="many"),
        pytest.param([put(row("s", due_ms=None), row("t"))], id="not due"),
        pytest.param([put(row("s", "h", 1)), put(row("s", "h", 2), row("t"))], id="twice"),
        pytest.param([put(row("s", "h"), row("t")), remove("s")], id="put, removed"),
        pytest.param([remove("old"), put(row("old", "lease"), row("t"))], id="removed, put"),
        pytest.param([put(row("old", "h")), remove("old"), put(row("old", "i"))], id="put, removed, put"),
        pytest.param([put(row("d", kind="dead_letter")), arm(False), put(row("t"))], id="put, disarmed"),
        pytest.param([arm(False), put(row("d", kind="dead_letter"))], id="disarmed, put"),
        pytest.param([remove("d"), arm(True)], id="removed, armed"),
    ],
)
def test_what_is_gathered_comes_to_the_same(writer: Connection, acts: list[Act]) -> None:
    """As writing each change by itself, over rows that are there."""
    found = []
    for gathered in (False, True):
        agenda = GatheringAgenda(writer)
        agenda.replace_all([row("old", "h"), row("d", due_ms=None, kind="dead_letter")])
        if gathered:
            with agenda.gathered():
                for act in acts:
                    act(agenda)
        else:
            for act in acts:
                act(agenda)
        found.append(agenda.rows())
    assert found[0] == found[1]


def test_what_ends_with_an_error_is_not_written(writer: Connection) -> None:
    """Nor is it written later."""
    agenda = GatheringAgenda(writer)
    before = agenda.rows()

    def fail() -> None:
        with agenda.gathered():
            agenda.put(row("s"))
            agenda.remove("t")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with agenda.gathered():
        pass
    assert agenda.rows() == before


def test_a_commit_of_many_bytes_goes_in_portions(till: Till, monkeypatch: MP) -> None:
    """Each below a bound, unless it is one event; positions go on from one to the next."""
    rows = [("s", version, "t", b"x" * size, "", "", 0) for version, size in enumerate((3, 3, 3, 9, 1, 0))]
    monkeypatch.setattr(appending, "MOST_BYTES", 6)
    assert [(begun, len(part)) for begun, part in portions(rows)] == [(0, 2), (2, 1), (3, 1), (4, 2)]
    assert list(portions([])) == []
    before = till.engine.ledger.last_position()
    with till.engine.batch() as batch:
        for _ in range(5):
            batch.add(till.submit)
    events = till.engine.ledger.read(before)
    assert [event.position for event in events] == list(range(before + 1, before + 1 + len(events)))
    till.check()
