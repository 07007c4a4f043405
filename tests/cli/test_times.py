"""Times as people read and type them."""

import time

import click
import pytest

from redrive.cli.times import Moment, absolute, dated, duration, moment, relative

NOON = 1_795_348_800_000


@pytest.mark.parametrize(
    ("ms", "told"),
    [
        *((0, "0 ms"), (999, "999 ms"), (1_500, "1.5 s"), (2_000, "2 s"), (59_999, "59 s"), (60_000, "1 min")),
        *((7_199_999, "1 h"), (86_400_000, "1 d"), (1_000 * 86_400_000, "1000 d")),
    ],
)
def test_durations_are_rounded_down_to_one_unit(ms: int, told: str) -> None:
    """Two digits are enough to decide."""
    assert duration(ms) == told


def test_moments_are_absolute_and_relative() -> None:
    """In UTC, and it says so."""
    assert absolute(NOON) == "2026-11-22 12:00:00Z"
    assert moment(NOON, NOON + 180_000) == "2026-11-22 12:00:00Z (3 min ago)"
    assert relative(NOON + 12_000, NOON) == "in 12 s"
    assert relative(NOON + 400, NOON) == "now"
    assert moment(None, NOON) is None


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        *(
            ("due_ms", NOON + 7, "2026-11-22 12:00:00.007Z"),
            ("decision.next_retry_at_ms", NOON, "2026-11-22 12:00:00.000Z"),
        ),
        *(("backoff_ms", 86_400_000, 86_400_000), ("due_ms", None, None), ("n", NOON, NOON), ("due_ms", "x", "x")),
    ],
)
def test_fields_that_are_times_are_told_as_times(field: str, value: object, told: object) -> None:
    """Durations, and what is no time, stay as they are."""
    assert dated(field, value) == told


def test_a_time_that_no_calendar_holds_is_told_all_the_same() -> None:
    """Logs of simulations hold any number."""
    assert absolute(2**62).startswith(f"{2**62} ms")


@pytest.mark.parametrize(
    "text", ["2026-11-22T12:00:00Z", "2026-11-22 12:00", "2026-11-22T13:00+01:00", " 2026-11-22T12:00:00 "]
)
def test_typed_times_are_utc_unless_they_say_otherwise(text: str) -> None:
    """Nobody's local time is guessed."""
    assert Moment().convert(text, None, None) == NOON


@pytest.mark.parametrize(("text", "ago"), [("90s", 90), ("15 min", 900), ("2h ago", 7_200), ("3D", 259_200)])
def test_typed_times_may_be_so_long_ago(text: str, ago: int) -> None:
    """What an operator has in mind at three in the morning."""
    before = time.time()
    told_s = Moment().convert(text, None, None) / 1_000
    assert before - 0.002 <= told_s + ago <= time.time() + 0.002


@pytest.mark.parametrize("text", ["", "yesterday", "-5s", "1e9h", "9999999999999s", "\x00", "2026-13-01"])
def test_other_times_are_refused_with_examples(text: str) -> None:
    """Rather than guessed."""
    with pytest.raises(click.BadParameter, match="15min"):
        Moment().convert(text, None, None)
