"""Below the lanes of a picture: what people did, and what the bars mean."""

from collections.abc import Sequence

from redrive.forensics.timelines.axis import lasting
from redrive.forensics.timelines.lettering import BOLD, fitted
from redrive.forensics.timelines.picture_parts import (
    HEAD,
    LEFT,
    RIGHT,
    THIN,
    WIDTH,
    Canvas,
    clock_of,
    diamond,
    label,
    line,
    rect,
    shown,
    told_one,
)  # fmt: skip
from redrive.forensics.timelines.timeline import TimelineEntry

MOST_PEOPLE = 16
WHO = 100
_LEGEND = (
    ("succeeded", "succeeded", 12), ("failed", "failed", 12), ("interrupted", "interrupted", 12),
    ("running", "running", 12), ("backoff", "backoff", THIN), ("claim", "claimed by a worker", 10),
    ("queue", "waits for a worker", THIN), ("limit", "waits for room", THIN), ("asked", "approval, timed wait", THIN),
    ("pause", "paused", THIN), ("letter", "dead letter", THIN), ("doubt", "outcome unknown", THIN),
    ("stopped", "stopped", THIN),
)  # fmt: skip


def mark_people(canvas: Canvas, bottom: float) -> list[TimelineEntry]:
    """What people did, as numbers on the lanes; those at nearly one place share a mark."""
    people = [one for one in canvas.timeline.entries if one.kind in ("operator", "note")]
    clusters: list[tuple[float, list[int]]] = []
    for n, one in enumerate(people, 1):
        place = canvas.place(one.begin_ms)
        if clusters and place - clusters[-1][0] < 24:
            clusters[-1][1].append(n)
        else:
            clusters.append((place, [n]))
    if clusters:
        canvas.top = bottom + 30
    for place, numbers in clusters:
        text = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}"
        wide = 12 + 6 * len(text)
        title = " | ".join(told_one(people[n - 1], canvas.timeline.begin_ms) for n in numbers[:5])
        canvas.parts += [
            line(place, HEAD - 4, place, bottom + 6, "reach"),
            rect(place - wide / 2, bottom + 6, wide, 17, "person", title),
            label(place, bottom + 18, text, "count"),
        ]
    return people


def list_people(canvas: Canvas, people: Sequence[TimelineEntry]) -> None:
    """Who did what, when and why, below the lanes."""
    if not people:
        return
    canvas.parts.append(label(24, canvas.top + 16, "What people did", "bold"))
    canvas.top += 24
    for n, one in enumerate(people[:MOST_PEOPLE], 1):
        top = canvas.top + 14
        who = (one.actor or "").partition(":")[2]
        what = f"note: {one.what}" if one.kind == "note" else one.what
        lane = f"{one.lane}: " if one.lane else ""
        why = f" — {one.reason}" if one.reason else ""
        canvas.parts += [
            label(42, top, str(n), "muted end"),
            label(
                54,
                top,
                f"{clock_of(one.begin_ms, '%H:%M:%S')}  +{lasting(one.begin_ms - canvas.timeline.begin_ms)}",
                "muted",
            ),
            label(LEFT, top, fitted(shown(who), WHO - 8, 12 * BOLD), "bold"),
            label(LEFT + WHO, top, fitted(shown(f"{lane}{what}{why}"), WIDTH - RIGHT - LEFT - WHO, ends=False)),
        ]
        canvas.top += 19
    if len(people) > MOST_PEOPLE:
        canvas.parts.append(label(LEFT, canvas.top + 14, f"and {len(people) - MOST_PEOPLE:,} more", "muted"))
        canvas.top += 19
    canvas.top += 4


def legend(canvas: Canvas) -> None:
    """What the bars mean: only those that occur."""
    drawn = "".join(canvas.parts)
    place, top = 24.0, canvas.top + 22
    for kind, words, height in _LEGEND:
        if f'class="{kind}"' not in drawn and f'class="{kind} still"' not in drawn:
            continue
        wide = 34 + 6.6 * len(words)
        if place + wide > WIDTH - RIGHT:
            place, top = 24.0, top + 20
        canvas.parts += [rect(place, top - 4 - height / 2, 16, height, kind), label(place + 22, top, words, "muted")]
        place += wide
    if "<path class" in drawn and any(one.kind == "decision" for one in canvas.timeline.entries):
        canvas.parts += [diamond(place + 6, top - 4, "letter", ""), label(place + 16, top, "decision", "muted")]
    canvas.top = top + 20
    if (footing := canvas.timeline.footing) is not None:
        canvas.parts.append(label(24, canvas.top + 6, str(footing), "muted small"))
        canvas.top += 18
