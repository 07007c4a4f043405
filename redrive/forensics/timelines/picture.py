"""A timeline as a picture: SVG without anything from outside, the same bytes for the same timeline."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

from redrive.domain.errors import InvalidValue
from redrive.forensics.timelines.axis import axis_of, lasting
from redrive.forensics.timelines.lettering import BOLD, fitted, width_of
from redrive.forensics.timelines.picture_foot import legend, list_people, mark_people
from redrive.forensics.timelines.picture_parts import (
    ATTEMPT,
    BROKEN,
    HEAD,
    LEFT,
    PLOT,
    RIGHT,
    ROW,
    THIN,
    WIDTH,
    Canvas,
    Theme,
    bars_of,
    clock_of,
    diamond,
    label,
    line,
    rect,
    safe,
    shown,
    style,
    told,
    worst,
)  # fmt: skip
from redrive.forensics.timelines.timeline import WAITS, Timeline, TimelineEntry, TimelineLane

MOST_LANES = 40
LEAST_NAME = 40
AT_REST = ("completed", "failed", "blocked", "cancelled")
_WAIT = {"backoff": "backoff", "queue": "queue", "limit": "limit", "pause": "pause"}


def svg_of(timeline: Timeline, theme: Theme = "auto") -> str:
    """The picture of a timeline: lanes for nodes, attempts and waits as bars, long gaps cut out and marked.

    *theme*: ``light``, ``dark``, or ``auto``, which follows the reader. However long the timeline, the picture has a
    bounded number of parts: at most 40 lanes are drawn (first those in trouble), the others as one; spans too narrow
    to be told apart are drawn as one. Raises InvalidValue.
    """
    if theme not in ("auto", "light", "dark"):
        raise InvalidValue("theme", theme, "auto, light or dark")
    times = {ms for one in timeline.entries for ms in (one.begin_ms, one.end_ms) if ms is not None}
    canvas = Canvas(timeline, axis_of(times | {timeline.begin_ms, timeline.end_ms}, width=PLOT, broken=BROKEN))
    of_lane: dict[str, list[TimelineEntry]] = defaultdict(list)
    for entry in timeline.entries:
        of_lane[entry.lane].append(entry)
    lanes, rest = chosen_lanes(timeline)
    for n, lane in enumerate(lanes):
        _lane(canvas, lane, of_lane[lane.name], n)
    if rest:
        _others(canvas, [entry for lane in rest for entry in of_lane[lane.name]], len(rest))
    bottom = canvas.top
    people = mark_people(canvas, bottom)
    grid, breaks = _grid(canvas, bottom), _breaks(canvas, bottom)
    list_people(canvas, people)
    legend(canvas)
    return _document(canvas, theme, [*_head(timeline), *grid, *canvas.parts, *breaks])


def chosen_lanes(timeline: Timeline, most: int = MOST_LANES) -> tuple[list[TimelineLane], list[TimelineLane]]:
    """The lanes to draw, and the others: the run, where it has spans, those in trouble, then the first ones; in their
    order."""
    of_run = any(one.lane == "" and not one.is_moment for one in timeline.entries)
    lanes = [lane for lane in timeline.lanes if lane.name or of_run]
    order = sorted(
        range(len(lanes)),
        key=lambda n: (lanes[n].name != "", not lanes[n].dead_letter_ms, not lanes[n].failed, n),
    )
    chosen = set(order[:most])
    rest = [lane for n, lane in enumerate(lanes) if n not in chosen]
    return [lane for n, lane in enumerate(lanes) if n in chosen], rest


def _document(canvas: Canvas, theme: Theme, parts: list[str]) -> str:
    height, timeline = canvas.top, canvas.timeline
    name, about = safe(f"Timeline of {timeline.subject} {timeline.key}"), safe(description(timeline), 1_000)
    size = f'viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}"'
    opened = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="name about">'
    named = f'<title id="name">{name}</title><desc id="about">{about}</desc>'
    ground = f'<rect width="{WIDTH}" height="{height:g}" class="ground"/>'
    return "".join((opened, named, style(theme), ground, *parts, "</svg>\n"))


def description(timeline: Timeline) -> str:
    """The picture in a sentence, for who cannot see it."""
    attempts, failed = sum(one.attempts for one in timeline.lanes), sum(one.failed for one in timeline.lanes)
    nodes = sum(1 for lane in timeline.lanes if lane.name)
    lasted = lasting(_stood_still_ms(timeline) - timeline.begin_ms)
    letters = sum(1 for one in timeline.entries if one.kind == "dead_letter")
    people = sum(1 for one in timeline.entries if one.kind in ("operator", "note"))
    return (
        f"{timeline.title or timeline.key}: {timeline.status or timeline.subject} after {lasted}; "
        f"{_n(timeline.events, 'event')}, {_n(nodes, 'node')} reached, {_n(attempts, 'attempt')} "
        f"of which {failed:,} failed, {_n(letters, 'dead letter')}, {_n(people, 'operator action')}."
    )


def _stood_still_ms(timeline: Timeline) -> int:
    """When it came to stand as it does, whatever was written down later; the end of what goes on."""
    if timeline.status not in AT_REST:
        return timeline.end_ms
    told = (one for one in reversed(timeline.entries) if one.is_moment and one.lane == "")
    return next((one.begin_ms for one in told if one.outcome == timeline.status), timeline.end_ms)


def _n(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _head(timeline: Timeline) -> list[str]:
    lasted = lasting(timeline.end_ms - timeline.begin_ms)
    status = (timeline.status or timeline.subject).replace("_", " ")
    tone = {"completed": "completed", "failed": "bad", "blocked": "bad", "cancelled": "bad"}.get(status, "calm")
    wide = 20 + 7.2 * len(status)
    chip = f'<rect x="{WIDTH - RIGHT - wide:.1f}" y="14" width="{wide:.1f}" height="24" rx="12" class="chip {tone}"/>'
    about = f"{timeline.subject} {timeline.key} · from {clock_of(timeline.begin_ms)} UTC, {lasted}"
    warned = f" · its clock went back {timeline.clock_regressions} times" if timeline.clock_regressions else ""
    return [
        label(24, 32, fitted(shown(timeline.title or timeline.key), WIDTH - RIGHT - wide - 40, 17 * BOLD), "title"),
        chip,
        label(WIDTH - RIGHT - wide / 2, 30, status, "mid bold"),
        label(24, 52, about + warned, "muted"),
        label(24, 69, description(timeline).partition(";")[2].strip(), "muted small"),
    ]


def _grid(canvas: Canvas, bottom: float) -> list[str]:
    parts, day = [], clock_of(canvas.timeline.begin_ms, "%m-%d")
    for place, ms in canvas.axis.ticks(82):
        name = clock_of(ms, "%H:%M:%S") + (f".{ms % 1_000:03}" if ms % 1_000 else "")
        if (today := clock_of(ms, "%m-%d")) != day:
            name, day = f"{today} {name[:5]}", today
        parts.append(line(LEFT + place, HEAD - 12, LEFT + place, bottom, "grid"))
        parts.append(label(LEFT + place, HEAD - 17, name, "muted small mid"))
    return parts


def _breaks(canvas: Canvas, bottom: float) -> list[str]:
    """Long gaps: what crosses them is drawn pale, and how long they lasted stands above."""
    parts = []
    for one in canvas.axis.breaks:
        left, right = LEFT + one.left, LEFT + one.right
        lasted = lasting(one.end_ms - one.begin_ms)
        name = f"{lasted}: drawn shorter than it was"
        parts.append(rect(left + 8, HEAD - 8, right - left - 16, bottom - HEAD + 8, "cut", safe(name)))
        parts += [line(edge, HEAD - 8, edge, bottom, "edge") for edge in (left + 8, right - 8)]
        parts.append(label((left + right) / 2, HEAD + 2, f"≈ {lasted}", "muted small mid"))
    return parts


def _lane(canvas: Canvas, lane: TimelineLane, entries: list[TimelineEntry], n: int) -> None:
    """A lane: its attempts and waits; below, its effects, and below those its dead letters."""
    top, begin_ms = canvas.top, canvas.timeline.begin_ms
    effects = [one for one in entries if one.kind in ("effect", "compensation", "doubt")]
    letters = [one for one in entries if one.kind == "dead_letter"]
    moments = [one for one in entries if one.kind in ("decision", "unknown", "other")]
    height = 30 + (ROW + 3) * bool(effects) + (ROW + 1) * bool(letters)
    if n % 2 == 0:
        canvas.parts.append(rect(0, top, WIDTH, height, "band"))
    canvas.parts.append(_lane_name(lane, top))
    main = top + 7
    _bars(canvas, [one for one in entries if one.kind in ("claim", "stopped")], main + 3, 10)
    _bars(canvas, [one for one in entries if one.kind in WAITS], main + (ATTEMPT - THIN) / 2, THIN)
    _bars(canvas, [one for one in entries if one.kind == "attempt"], main, ATTEMPT)
    below = main + ATTEMPT + 3
    if effects:
        canvas.parts.append(label(LEFT - 12, below + 8, "effects", "muted small end"))
        _bars(canvas, effects, below, 8)
        below += ROW + 3
    if letters:
        canvas.parts.append(label(LEFT - 12, below + 8, "dead letter", "muted small end"))
        _bars(canvas, letters, below, 6)
    for bar in bars_of(moments, canvas.axis, canvas.timeline.end_ms):
        kind = "unknown" if any(one.kind == "unknown" for one in bar.entries) else "letter" if letters else "other"
        canvas.parts.append(diamond(LEFT + bar.left, main - 2, kind, told(bar.entries, begin_ms)))
    canvas.top += height


def _lane_name(lane: TimelineLane, top: float) -> str:
    name = lane.name or "the run"
    attempts = f"{_n(lane.attempts, 'attempt')}, {lane.failed:,} failed" if lane.failed else ""
    title = f"{name}: {attempts or _n(lane.attempts, 'attempt')}, waited {lasting(lane.waited_ms)}"
    count = f"{lane.failed:,}/{lane.attempts:,} failed" if attempts else ""
    room = max(LEFT - 12 - 24 - (width_of(count, 11) + 6 if count else 0), LEAST_NAME)
    return (
        f"<g><title>{safe(title)}</title>"
        + label(24, top + 19, fitted(shown(name), room), "bold" if not lane.name else "")
        + (label(LEFT - 12, top + 19, count, "muted small end") if count else "")
        + "</g>"
    )


def _bars(canvas: Canvas, entries: list[TimelineEntry], top: float, height: float) -> None:
    for bar in bars_of(entries, canvas.axis, canvas.timeline.end_ms):
        kind = _kind(bar.entries, canvas.timeline.end_ms) + (" still" if bar.entries[-1].end_ms is None else "")
        title = told(bar.entries, canvas.timeline.begin_ms)
        left, wide = LEFT + bar.left, bar.right - bar.left
        canvas.parts.append(rect(left, top, wide, height, kind, title))
        if kind == "failed" and height == ATTEMPT and wide > 11:  # not by colour alone
            mid, half = left + wide - 6, 3
            canvas.parts.append(f'<path class="cross" d="M{mid - half:.1f} {top + 5:g}l6 6m0 -6l-6 6"/>')


def _kind(entries: Sequence[TimelineEntry], end_ms: int) -> str:
    """What a bar is drawn as; one of several spans, as what most of its time was."""
    lasted: Counter[str] = Counter()
    for one in entries:
        lasted[one.kind] += (end_ms if one.end_ms is None else one.end_ms) - one.begin_ms
    kind = max(lasted, key=lambda kind: lasted[kind])
    if kind in ("attempt", "effect", "compensation"):
        return worst(entries)
    if kind in WAITS:
        return _WAIT.get(kind, "asked")
    return {"dead_letter": "letter"}.get(kind, kind)


def _others(canvas: Canvas, entries: list[TimelineEntry], lanes: int) -> None:
    """The lanes that have no room, as one: how many attempts ran at a time."""
    steps: dict[float, int] = defaultdict(int)
    end_ms = canvas.timeline.end_ms
    for one in entries:
        if one.kind == "attempt":
            left, right = canvas.axis.place(one.begin_ms), canvas.axis.place(one.end_ms or end_ms)
            steps[round(left / 2) * 2] += 1
            steps[max(round(right / 2) * 2, round(left / 2) * 2 + 2)] -= 1
    top, height, count = canvas.top, 62, 0
    points: list[str] = []
    levels: list[tuple[float, int, int]] = []
    for place in sorted(steps):
        levels.append((place, count, count + steps[place]))
        count += steps[place]
    most = max((after for _, _, after in levels), default=1) or 1
    floor = top + height - 6
    for place, before, after in levels:
        points += [f"{LEFT + place:.1f} {floor - 48 * n / most:.1f}" for n in (before, after)]
    attempts = sum(1 for one in entries if one.kind == "attempt")
    at_once = max(accumulate(change for _, change in sorted(_begun_and_ended(entries))), default=0)
    title = safe(f"{lanes:,} other lanes, {attempts:,} attempts, at most {at_once:,} at a time")
    canvas.parts.append(label(24, top + 24, f"{lanes:,} other lanes"))
    canvas.parts.append(label(24, top + 39, f"{attempts:,} attempts,", "muted small"))
    canvas.parts.append(label(24, top + 53, f"at most {at_once:,} at a time", "muted small"))
    if points:
        canvas.parts.append(
            f'<path class="crowd" d="M{LEFT + levels[0][0]:.1f} {floor:g}L{"L".join(points)}'
            f'L{LEFT + levels[-1][0]:.1f} {floor:g}z"><title>{title}</title></path>'
        )
    canvas.top += height


def _begun_and_ended(entries: list[TimelineEntry]) -> Iterator[tuple[int, int]]:
    """Where attempts began and ended: by positions, because a place in the picture is wider than many attempts."""
    for one in entries:
        if one.kind == "attempt":
            yield one.position, 1
            if one.end_position is not None:
                yield one.end_position, -1
