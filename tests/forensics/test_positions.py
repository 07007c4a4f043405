"""Positions: by place, by time, by event; and clocks that step back."""

from base64 import b64encode
from pathlib import Path

import pytest

import redrive
from redrive.forensics.positions import clock_regressions, position_of
from tests.processes.workshop import Shop
from tests.stores import unguard

BAD = (
    *("", "pos:", "pos:-1", "pos:1.5", "pos:99999999999999999999", "99999", "time:", "time:noon", "time:2026-11-22"),
    *("time:2026-11-22T05:44:00", "time:99999999999999999", "cp:", "cp:xyz", "cp:abcdef", "soon", "pos:1;", "nowhere"),
    *("0123456789abcdef01234567", True, None, 1.5, -1),
)


def test_a_place_is_named_in_several_ways(engine: redrive.Engine) -> None:
    """Number, word, time, id: one moment."""
    ledger, last = engine.ledger, engine.ledger.last_position()
    event = ledger.read(11, 1)[0]
    for asked in ("pos:12", "12", 12, " POS:12 ", event.event_id):
        assert position_of(ledger, asked).position == 12
    assert position_of(ledger, "now").position == position_of(ledger, "HEAD").position == last
    assert position_of(ledger, 0).position == position_of(ledger, "time:0").position == 0
    assert str(position_of(ledger, "now")) == f"pos:{last}"


@pytest.mark.sqlite_only
@pytest.mark.parametrize("asked", BAD, ids=repr)
def test_what_names_no_moment_is_refused(engine: redrive.Engine, asked: object) -> None:
    """With the field, the value, and what would be accepted."""
    with pytest.raises(redrive.InvalidValue, match=r"^position: "):
        engine.at(asked)  # type: ignore[arg-type]


@pytest.mark.sqlite_only
def test_a_time_is_the_longest_prefix_recorded_by_then(engine: redrive.Engine) -> None:
    """Also where recorded times go backwards, as in a log that something else wrote."""
    _rewrite_times(engine, lambda position: 1_000_000 + position * 10 - (55 if position % 9 == 0 else 0))
    rows = [(event.position, event.recorded_at_ms) for event in engine.ledger.read()]
    for ms in range(999_990, 1_000_000 + len(rows) * 10 + 20, 5):
        longest = next((position - 1 for position, at in rows if at > ms), len(rows))
        assert position_of(engine.ledger, f"time:{ms}").position == longest


def test_a_time_is_told_with_its_zone(engine: redrive.Engine) -> None:
    """The same moment in three ways."""
    _rewrite_times(engine, lambda position: 1_700_000_000_000 + position)
    asked = ("time:1700000000020", "time:2023-11-14T22:13:20.020Z", "time:2023-11-15T00:13:20.020+02:00")
    assert {position_of(engine.ledger, one).position for one in asked} == {20}


def test_a_clock_that_steps_back_is_told(tmp_path: Path) -> None:
    """Recorded times never go back; what happened did, and it is said where."""
    shop = Shop(tmp_path / "log.db")
    shop.submit()
    shop.now -= 3_000
    shop.submit()
    first = shop.engine.ledger.last_position()
    found = position_of(shop.engine.ledger, f"time:{shop.now + 3_000}")
    assert found.position == first
    assert [(one.back_ms, one.occurred_at_ms) for one in found.regressions] == [(3_000, shop.now)]
    assert clock_regressions(shop.engine.ledger, first, first + 10, 5) == ()
    shop.engine.close()


def test_the_checkpoints_of_the_log_are_found(engine: redrive.Engine) -> None:
    """By the beginning of their root, in hex or in base64; what two begin with is ambiguous."""
    writer = engine.ledger.recorder.writer
    root = bytes(range(160, 192))
    for size, position, other in ((999_999, 5, bytes(29)), (1_000_000, 7, root[3:])):
        values = (size, size - 1, position, root[:3] + other)
        writer.execute("INSERT INTO tree_checkpoints VALUES (?, ?, ?, ?, '', 0)", values)
    for text in (root.hex(), root.hex()[:9].upper(), b64encode(root).decode(), "oKGio6Sl"):
        assert position_of(engine.ledger, f"cp:{text}").position == 7
    with pytest.raises(redrive.InvalidValue, match="2 checkpoints begin so"):
        position_of(engine.ledger, f"cp:{root.hex()[:6]}")
    with pytest.raises(redrive.InvalidValue, match="the root hash of a checkpoint"):
        engine.at("cp:oKGio6SL")


def _rewrite_times(engine: redrive.Engine, recorded: object) -> None:
    """Give the events other recorded times, as no engine would."""
    assert callable(recorded)
    writer = engine.ledger.recorder.writer
    unguard(writer)
    for position in range(1, engine.ledger.last_position() + 1):
        writer.execute("UPDATE events SET recorded_at_ms = ? WHERE position = ?", (recorded(position), position))
