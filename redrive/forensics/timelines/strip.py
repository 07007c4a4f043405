"""A timeline as characters: a row of cells for each lane, and what happened in lines. Pure; whoever prints it colours
it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from redrive.forensics.timelines.axis import Axis, axis_of, lasting
from redrive.forensics.timelines.picture import chosen_lanes
from redrive.forensics.timelines.picture_parts import clock_of
from redrive.forensics.timelines.timeline import WAITS, Timeline, TimelineEntry

BROKEN = 5
MOST_LANES = 24
MOST_LINES = 48
FEW_LANES = 16
ENDS = {"succeeded": "✓", "failed": "✗", "interrupted": "!", "snoozed": "z", "unknown": "?", "approved": "✓",
        "denied": "✗", "expired": "✗"}  # fmt: skip
FILL = {"attempt": "█", "effect": "▪", "compensation": "▪", "doubt": "?", "dead_letter": "━", "claim": "▬",
        "stopped": "▒", "backoff": "░", "queue": "·", "limit": "~", "snooze": "░", "wait": "┄", "approval": "┄",
        "pause": "‖"}  # fmt: skip
LEGEND = {"█": "attempt", "✓": "succeeded", "✗": "failed", "!": "interrupted", "z": "snoozed", "░": "backoff",
          "·": "waits for a worker", "~": "waits for room", "┄": "approval or timed wait", "‖": "paused",
          "▬": "claimed", "▒": "stopped", "▪": "effect", "?": "outcome unknown", "━": "dead letter",
          "▲": "what people did", "⁞": "time left out"}  # fmt: skip
_GRAVITY = ("━", "·", "░", "┄", "~", "‖", "▬", "▒", "▪", "█", "z", "✓", "?", "!", "✗", "▲")
Cell = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its *name*, its *count* (``5/6 failed``), and its cells, each a character and what it stands for."""

    name: str
    count: str
    cells: tuple[Cell, ...]


def rows_of(timeline: Timeline, width: int) -> list[Row]:
    """The timeline as rows of *width* cells: a scale, the lanes (at most 24, first those in trouble), what people
    did."""
    times = {ms for one in timeline.entries for ms in (one.begin_ms, one.end_ms) if ms is not None}
    axis = axis_of(times | {timeline.begin_ms, timeline.end_ms}, width=float(width - 1), broken=float(BROKEN))
    shown, rest = chosen_lanes(timeline, MOST_LANES)
    of_lane: dict[str, list[TimelineEntry]] = {lane.name: [] for lane in shown}
    for entry in timeline.entries:
        if entry.lane in of_lane:
            of_lane[entry.lane].append(entry)
    rows = [_scale(axis, width)]
    for lane in shown:
        count = f"{lane.failed:,}/{lane.attempts:,} failed" if lane.failed else ""
        rows += _lane(lane.name or "the run", count, of_lane[lane.name], axis, timeline.end_ms, width)
    if rest:
        rows.append(Row(f"{len(rest):,} other nodes", "", ()))
    people = [one for one in timeline.entries if one.kind in ("operator", "note")]
    if people:
        rows.append(_row("people", "", people, axis, timeline.end_ms, width))
    return rows


def _lane(
    name: str, count: str, entries: Sequence[TimelineEntry], axis: Axis, end_ms: int, width: int
) -> Iterator[Row]:
    apart = ("effect", "compensation", "doubt", "dead_letter")
    yield _row(
        name, count, [one for one in entries if one.kind not in apart and not one.is_moment], axis, end_ms, width
    )
    effects = [one for one in entries if one.kind in apart[:3]]
    letters = [one for one in entries if one.kind == "dead_letter"]
    for under, told in (("  effects", effects), ("  dead letter", letters)):
        if told:
            yield _row(under, "", told, axis, end_ms, width)


def _row(name: str, count: str, entries: Sequence[TimelineEntry], axis: Axis, end_ms: int, width: int) -> Row:
    cells: list[Cell] = [(" ", "")] * width
    for one in axis.breaks:
        cells[round((one.left + one.right) / 2)] = ("⁞", "break")
    for entry in entries:
        left = round(axis.place(entry.begin_ms))
        right = round(axis.place(end_ms if entry.end_ms is None else entry.end_ms))
        fill = FILL.get(entry.kind, "▲")
        for n in range(left, right + 1):
            _put(cells, n, fill, entry.kind)
        if entry.kind in ("attempt", "effect", "compensation", "approval") and entry.end_ms is not None:
            _put(cells, right, ENDS.get(entry.outcome or "", fill), entry.outcome or entry.kind)
    return Row(name, count, tuple(cells))


def _put(cells: list[Cell], n: int, char: str, kind: str) -> None:
    """The graver of two that share a cell stays."""
    known = cells[n][0]
    if known not in _GRAVITY or _GRAVITY.index(char) >= _GRAVITY.index(known):
        cells[n] = (char, kind)


def _scale(axis: Axis, width: int) -> Row:
    text = [" "] * width
    for one in axis.breaks:
        _write(text, round(one.left), f"≈{lasting(one.end_ms - one.begin_ms).replace(' ', '')}")
    for place, ms in axis.ticks(14.0):
        _write(text, round(place), "╷" + clock_of(ms, "%H:%M:%S") + (f".{ms % 1_000:03}" if ms % 1_000 else ""))
    return Row("", "", tuple((char, "scale") for char in text))


def _write(text: list[str], at: int, word: str) -> None:
    """Where it does not overwrite another."""
    if at + len(word) <= len(text) and not "".join(text[max(0, at - 1) : at + len(word) + 1]).strip():
        text[at : at + len(word)] = word


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened; or, without an *entry*, how many like those around it are left out, in words."""

    position: int
    entry: TimelineEntry | None
    text: str


def lines_of(timeline: Timeline, most: int = MOST_LINES) -> list[Line]:
    """What happened, in log order: failures alike in a row are told once, successes only where the lanes are few."""
    few = len(timeline.lanes) <= FEW_LANES
    lines: list[Line] = []
    alike: dict[str, list[TimelineEntry]] = {}
    for entry in timeline.entries:
        if not _is_told(entry, few, timeline):
            continue
        row = alike.get(entry.lane)
        if row and entry.kind == "attempt" and _sort(row[-1]) == _sort(entry):
            row.append(entry)
            continue
        lines += _folded(alike.pop(entry.lane, ()))
        lines.append(Line(entry.position, entry, words_of(entry)))
        if entry.kind == "attempt" and entry.outcome == "failed":
            alike[entry.lane] = [entry]
    for row in alike.values():
        lines += _folded(row)
    lines.sort(key=lambda line: line.position)
    if len(lines) <= most:
        return lines
    head, skipped = most // 3, len(lines) - most
    left_out = Line(lines[head].position, None, f"… {skipped:,} more")
    return [*lines[:head], left_out, *lines[head + skipped :]]


def _folded(alike: Sequence[TimelineEntry]) -> list[Line]:
    """The failures after the first of a row: those between as one line, then the last."""
    rest = alike[1:]
    if len(rest) <= 2:
        return [Line(one.position, one, words_of(one)) for one in rest]
    lasted = lasting(rest[-1].begin_ms - rest[0].begin_ms)
    lane = f"{rest[0].lane}: " if rest[0].lane else ""
    between = Line(rest[0].position, None, f"… {lane}{len(rest) - 1:,} more failed the same way, within {lasted}")
    return [between, Line(rest[-1].position, rest[-1], words_of(rest[-1]))]


def _sort(entry: TimelineEntry) -> tuple[str | None, str]:
    return entry.outcome, (entry.cause or "").partition(":")[0]


def _is_told(entry: TimelineEntry, few: bool, timeline: Timeline) -> bool:
    if entry.kind in ("claim", "stopped", "backoff"):
        return False
    if entry.kind in ("queue", "limit"):
        if entry.kind == "limit" and entry.end_ms is None:  # what the run waits for now
            return True
        whole = timeline.end_ms - timeline.begin_ms
        return (entry.duration_ms or 0) >= max(1_000, whole // 20)
    if entry.kind in ("attempt", "effect") and entry.outcome == "succeeded":
        return few
    return True


def words_of(entry: TimelineEntry) -> str:
    """Lane, what, how it ended, how long it took, why, who."""
    told = f"{entry.lane}: " if entry.lane else ""
    told += f"note: {entry.what}" if entry.kind == "note" else entry.what
    if not entry.is_moment:
        told += _ended(entry)
    if entry.cause and entry.kind in ("attempt", "effect", "dead_letter", "compensation", "decision"):
        told += f"; {entry.cause}"
    if entry.actor and entry.kind in ("operator", "note"):
        who = entry.actor.partition(":")[2]
        told += f" ({who}: {entry.reason})" if entry.reason else f" ({who})"
    return told


def _ended(entry: TimelineEntry) -> str:
    if entry.duration_ms is None:
        return ", not over"
    took = lasting(entry.duration_ms)
    outcome = (entry.outcome or "").replace("_", " ")
    if entry.kind in WAITS or not outcome:
        return f", {took}"
    return f", {outcome} after {took}" if entry.kind in ("dead_letter", "doubt") else f" {outcome}, {took}"
