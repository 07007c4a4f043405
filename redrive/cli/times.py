"""Times for people: absolute in UTC, and how long ago."""

import re
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    TimeType = click.ParamType[int]
else:
    TimeType = click.ParamType

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))
_AGO = re.compile(r"(\d{1,9}) ?(s|min|m|h|d)(?: ago)?\Z")
_SPAN = re.compile(r"(\d{1,9}) ?(ms|s|min|m|h|d)\Z")
_IN_MS = {"s": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}

_LEAST_TIME_MS = 100_000_000_000


def absolute(ms: int) -> str:
    """``2026-11-22 05:44:10Z``."""
    return f"{clock(ms, '%Y-%m-%d %H:%M:%S')}Z"


def clock(ms: int, form: str) -> str:
    """The UTC time in a form of ``strftime``; what no calendar holds is told in milliseconds."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime(form)
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms "


def dated(field: str, value: Any) -> Any:
    """*value*, or the time that it is: fields in milliseconds (``due_ms``) are times when they are past 1973, and
    durations below."""
    if field.endswith("_ms") and isinstance(value, int) and value >= _LEAST_TIME_MS:
        return f"{clock(value, '%Y-%m-%d %H:%M:%S')}.{value % 1_000:03}Z"
    return value


def duration(ms: int) -> str:
    """``250 ms``, ``1.5 s``, ``12 s``, ``3 min``, ``2 h``, ``5 d``: rounded down to the largest unit that fits."""
    if ms < 1_000:
        return f"{ms} ms"
    if ms < 10_000:
        return f"{ms // 100 / 10:g} s"
    unit, name = next(unit for unit in _UNITS if ms >= unit[0])
    return f"{ms // unit} {name}"


def relative(ms: int, now_ms: int) -> str:
    """``3 min ago``, ``in 12 s``, ``now``."""
    gap = now_ms - ms
    if abs(gap) < 1_000:
        return "now"
    return f"{duration(gap)} ago" if gap > 0 else f"in {duration(-gap)}"


def moment(ms: int | None, now_ms: int) -> str | None:
    """Absolute and relative; None stays None."""
    return None if ms is None else f"{absolute(ms)} ({relative(ms, now_ms)})"


class Duration(TimeType):
    """A span of time as people type it, in milliseconds."""

    name = "duration"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """``250ms``, ``10s``, ``5min``, ``1h``, ``1d``."""
        if isinstance(value, int):
            return value
        if told := _SPAN.match(value.strip().lower()):
            return int(told[1]) * _IN_MS.get(told[2], 1)
        raise click.BadParameter(f"{value[:40]!r} is no duration: say 250ms, 10s, 5min, 1h, or 1d", ctx, param)


class Moment(TimeType):
    """A time as people type it, as UTC milliseconds."""

    name = "time"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """``15 min`` (ago), or an ISO time, in UTC unless it says otherwise."""
        if isinstance(value, int):
            return value
        if ago := _AGO.match(value.strip().lower()):
            return int(time() * 1_000) - int(ago[1]) * _IN_MS[ago[2]]
        try:
            told = datetime.fromisoformat(value.strip())
            return int((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() * 1_000)
        except (ValueError, OverflowError):
            wanted = "90s, 15min, 2h, 3d (ago), or 2026-11-22T05:44:00Z"
            raise click.BadParameter(f"{value[:40]!r} is no time: say {wanted}", ctx, param) from None
