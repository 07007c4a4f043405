"""What pictures are made of: safe text, elements, colours for light and dark, and many small spans as one."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Literal

from redrive.forensics.timelines.axis import Axis, lasting
from redrive.forensics.timelines.timeline import Timeline, TimelineEntry

Theme = Literal["auto", "light", "dark"]
WIDTH, LEFT, RIGHT = 1200, 210, 24
PLOT = WIDTH - LEFT - RIGHT
BROKEN = 56
HEAD = 104
ATTEMPT, THIN, ROW = 16, 5, 9
NARROW = 3.0
LEAST = 2.0

_LIGHT = {
    "ground": "#ffffff", "band": "#f6f8fa", "grid": "#dfe4ea", "text": "#1b2027", "muted": "#5a6570",
    "succeeded": "#128068", "failed": "#c9342b", "interrupted": "#c26a00", "running": "#2f6fd0",
    "backoff": "#d3a117", "queue": "#9aa7b5", "limit": "#8f6fd1", "asked": "#5a9bd8", "pause": "#6b7684",
    "letter": "#93297a", "doubt": "#c26a00", "person": "#5b3fb0", "stopped": "#e9a7a2", "claim": "#b9d2f1",
}  # fmt: skip
_DARK = {
    "ground": "#12161c", "band": "#191f27", "grid": "#2c343f", "text": "#e7ebf0", "muted": "#9aa6b3",
    "succeeded": "#3cc2a2", "failed": "#f2695f", "interrupted": "#eb9a3c", "running": "#6ea8ff",
    "backoff": "#e2bd4c", "queue": "#6e7b8a", "limit": "#b49af0", "asked": "#7fb9ef", "pause": "#98a3af",
    "letter": "#e07cc6", "doubt": "#eb9a3c", "person": "#b9a2ff", "stopped": "#7d3a37", "claim": "#2c4a73",
}  # fmt: skip
_RULES = """
.ground{fill:var(--ground)}.band{fill:var(--band)}.grid{stroke:var(--grid);stroke-width:1}
text{font:12px ui-sans-serif,system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:var(--text)}
.title{font-size:17px;font-weight:600}.muted{fill:var(--muted)}.small{font-size:11px}.end{text-anchor:end}
.mid{text-anchor:middle}.bold{font-weight:600}
.succeeded{fill:var(--succeeded)}.failed{fill:var(--failed)}.interrupted{fill:var(--interrupted)}
.running{fill:var(--running)}.snoozed{fill:var(--asked)}.backoff{fill:var(--backoff)}.queue{fill:var(--queue)}
.limit{fill:var(--limit)}.asked{fill:var(--asked)}.pause{fill:var(--pause)}.claim{fill:var(--claim)}
.stopped{fill:var(--stopped)}.letter{fill:var(--letter)}.doubt,.unknown{fill:var(--doubt)}.other{fill:var(--muted)}
.still{fill-opacity:.55}.crowd{fill:var(--running);fill-opacity:.45}
.person{fill:var(--person)}.count{fill:var(--ground);font-size:10px;font-weight:700;text-anchor:middle}
.reach{stroke:var(--person);stroke-width:1;stroke-dasharray:2 3;opacity:.8}
.cut{fill:var(--ground);fill-opacity:.72}.edge{stroke:var(--muted);stroke-width:1;stroke-dasharray:1 3}
.chip{fill:none;stroke-width:1.5}.chip.completed{stroke:var(--succeeded)}.chip.bad{stroke:var(--failed)}
.chip.calm{stroke:var(--running)}.cross{stroke:var(--ground);stroke-width:1.6;fill:none}
"""

_VARIABLE = re.compile(r"var\(--(\w+)\)")


def style(theme: Theme) -> str:
    """The style sheet; *auto* follows what the reader prefers. Colours are written out: not every program that draws
    SVG knows variables."""
    light, dark = _coloured(_LIGHT), _coloured(_DARK)
    preferred = f"@media (prefers-color-scheme:dark){{{dark}}}" if theme == "auto" else ""
    return f"<style>{dark if theme == 'dark' else light}{preferred}</style>"


def _coloured(colours: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda found: colours[found[1]], _RULES)


def safe(text: object, most: int = 400) -> str:
    """*text* as it may stand in XML, cut to *most* characters; what does not print is shown as an escape."""
    return escape(shown(text, most))


def shown(text: object, most: int = 400) -> str:
    """*text* as it is read, cut to *most* characters; what does not print is shown as an escape."""
    whole = str(text)[: most + 1]
    if not whole.isprintable():
        whole = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in whole)
    whole = whole.encode("utf-8", "backslashreplace").decode()
    return whole if len(whole) <= most else whole[: most - 1] + "…"


def rect(place: float, top: float, width: float, height: float, kind: str, title: str = "") -> str:
    """A bar; *title* is what a pointer on it tells, already safe."""
    shape = f'<rect x="{place:.1f}" y="{top:g}" width="{max(width, LEAST):.1f}" height="{height:g}" class="{kind}"'
    rounded = f' rx="{8 if kind == "person" else 2}"' if width > 5 and height > 6 else ""
    return f"{shape}{rounded}><title>{title}</title></rect>" if title else f"{shape}{rounded}/>"


def label(place: float, top: float, text: str, kind: str = "", most: int = 400) -> str:
    """Text."""
    classes = f' class="{kind}"' if kind else ""
    return f'<text x="{place:.1f}" y="{top:g}"{classes}>{safe(text, most)}</text>'


def line(left: float, top: float, right: float, bottom: float, kind: str) -> str:
    """A straight line."""
    return f'<line x1="{left:.1f}" y1="{top:g}" x2="{right:.1f}" y2="{bottom:g}" class="{kind}"/>'


@dataclass(slots=True)
class Bar:
    """One span, or several that are too narrow to be told apart."""

    left: float
    right: float
    entries: list[TimelineEntry] = field(default_factory=list)


def bars_of(entries: Iterable[TimelineEntry], axis: Axis, end_ms: int) -> list[Bar]:
    """Spans as bars, none less than a few pixels from the next: however many, there are no more than fit."""
    bars: list[Bar] = []
    for entry in sorted(entries, key=lambda one: (one.begin_ms, one.position)):
        left, right = axis.place(entry.begin_ms), axis.place(end_ms if entry.end_ms is None else entry.end_ms)
        right = max(right, left + LEAST)
        last = bars[-1] if bars else None
        if last is not None and _is_one(last, left, right):
            last.right = max(last.right, right)
            last.entries.append(entry)
        else:
            bars.append(Bar(left, right, [entry]))
    return bars


def _is_one(last: Bar, left: float, right: float) -> bool:
    """Whether a span from *left* to *right* cannot be told from the bar before it."""
    if left < last.left + NARROW:
        return right - left < NARROW or last.right - last.left < NARROW
    crowded = len(last.entries) > 1 and last.right - last.left < 4 * NARROW
    return crowded and left <= last.right and right - left < NARROW


_WORST = ("failed", "interrupted", "unknown", "denied", "expired", "running", "snoozed")


def worst(entries: Sequence[TimelineEntry]) -> str:
    """The gravest outcome among *entries*; ``running`` when one is not over."""
    outcomes = {entry.outcome or "running" for entry in entries}
    return next((outcome for outcome in _WORST if outcome in outcomes), "succeeded")


def told(entries: Sequence[TimelineEntry], begin_ms: int) -> str:
    """What a pointer on a bar tells."""
    if len(entries) == 1:
        return told_one(entries[0], begin_ms)
    counts = Counter(f"{entry.kind.replace('_', ' ')} {entry.outcome or 'not over'}" for entry in entries)
    said = ", ".join(f"{n} × {what}" for what, n in sorted(counts.items()))
    return safe(f"{len(entries)} within {lasting(_extent(entries))}: {said}")


def _extent(entries: Sequence[TimelineEntry]) -> int:
    return max(one.end_ms or one.begin_ms for one in entries) - min(one.begin_ms for one in entries)


def told_one(entry: TimelineEntry, begin_ms: int) -> str:
    """One entry in full."""
    took = "" if entry.is_moment else "not over" if entry.duration_ms is None else lasting(entry.duration_ms)
    where = f"position {entry.position}" + (f" to {entry.end_position}" if entry.end_position != entry.position else "")
    if entry.end_position is None:
        where = f"position {entry.position}"
    who = f"{entry.actor}: {entry.reason}" if entry.reason else entry.actor if entry.is_moment else None
    parts = [entry.lane, entry.what, entry.outcome if entry.outcome not in (entry.what, None) else "", took,
             entry.cause, who, f"at +{lasting(entry.begin_ms - begin_ms)}, {where}"]  # fmt: skip
    return safe(" · ".join(str(part) for part in parts if part), 700)


@dataclass
class Canvas:
    """The picture so far, and where the next lane begins."""

    timeline: Timeline
    axis: Axis
    top: float = HEAD
    parts: list[str] = field(default_factory=list)

    def place(self, ms: int) -> float:
        """Where a time lies."""
        return LEFT + self.axis.place(ms)


def clock_of(ms: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """The UTC time; what no calendar holds is told in milliseconds."""
    try:
        return datetime.fromtimestamp(ms / 1_000, UTC).strftime(form)
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"


def diamond(place: float, top: float, kind: str, title: str) -> str:
    """A moment."""
    shape = f'<path class="{kind}" d="M{place:.1f} {top - 4:g}l4 4l-4 4l-4 -4z">'
    return f"{shape}<title>{title}</title></path>"
