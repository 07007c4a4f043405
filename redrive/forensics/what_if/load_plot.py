"""The picture of a what-if: retry load and dead letters over time, recorded beside counterfactual. Plain SVG, the same
for the same report, in light and dark."""

from collections.abc import Callable, Sequence

from redrive.forensics.timelines.lettering import BOLD, width_of
from redrive.forensics.timelines.picture_parts import clock_of, safe
from redrive.forensics.what_if.report import LoadPoint, WhatIfReport

WIDTH, LEFT, RIGHT = 960, 64, 28
PANEL, TOP, GAP = 190, 136, 70
HEIGHT = TOP + 2 * PANEL + GAP + 74

_STYLE = """
  .back { fill: #ffffff } .ink { fill: #1b2430 } .soft { fill: #5b6675 } .warn { fill: #9a3412 }
  .grid { stroke: #e3e7ec; stroke-width: 1 } .axis { stroke: #9aa5b1; stroke-width: 1 }
  .band { fill: #2563eb; fill-opacity: .22 } .edge { fill: none; stroke: #2563eb; stroke-width: 1.75 }
  .bar { fill: #c3cad3 } .line { fill: none; stroke: #5b6675; stroke-width: 2 }
  text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
  .title { font-size: 16px; font-weight: 650 } .head { font-size: 13.5px; font-weight: 600 }
  .tick { font-size: 11px; font-variant-numeric: tabular-nums }
  @media (prefers-color-scheme: dark) {
    .back { fill: #11161d } .ink { fill: #e8edf3 } .soft { fill: #9aa7b6 } .warn { fill: #fdba74 }
    .grid { stroke: #222b36 } .axis { stroke: #516072 } .bar { fill: #3c4757 } .line { stroke: #aab6c4 }
    .band { fill: #60a5fa; fill-opacity: .28 } .edge { stroke: #60a5fa }
  }
"""


def load_plot(report: WhatIfReport) -> str:
    """The picture of *report*, as an SVG document."""
    points = report.load
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
            ' role="img" aria-labelledby="title note">'
        ),
        f'<title id="title">COUNTERFACTUAL {safe(_title(report))}</title>',
        f'<desc id="note">{safe(_note(report))}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        (
            f'<text x="{LEFT}" y="38" class="title" style="font-size:{_size(report):.1f}px">'
            '<tspan class="warn">COUNTERFACTUAL</tspan>'
            f'<tspan class="ink" dx="8">{safe(_title(report))}</tspan></text>'
        ),
        f'<text x="{LEFT}" y="60" class="soft">{safe(_note(report))}</text>',
        *_legend(),
    ]
    if points:
        bucket = _span(report.bucket_ms)
        parts += _panel(points, TOP, f"Retry attempts begun, per {bucket}", _retries, report, bars=True)
        parts += _panel(points, TOP + PANEL + GAP, "Dead letters opened, in all", _letters, report, bars=False)
    else:
        parts.append(f'<text x="{LEFT}" y="{TOP + 60}" class="soft">No retry and no dead letter in this log.</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 16}" class="soft tick">{safe(report.footing)}</text>')
    return "\n".join([*parts, "</svg>", ""])


Values = Callable[[LoadPoint], tuple[int, int, int]]


def _retries(point: LoadPoint) -> tuple[int, int, int]:
    return point.retries_recorded, point.retries.low, point.retries.high


def _letters(point: LoadPoint) -> tuple[int, int, int]:
    return point.dead_letters_recorded, point.dead_letters.low, point.dead_letters.high


def _title(report: WhatIfReport) -> str:
    letters, retries = report.dead_letters, report.retries
    return (
        f"{letters.counterfactual} dead letters (recorded: {letters.recorded:,}), "
        f"{retries.counterfactual} retries (recorded: {retries.recorded:,})"
    )


def _size(report: WhatIfReport) -> float:
    """Of its letters, so that the title of a large log has room too."""
    room = WIDTH - LEFT - RIGHT - 8
    return min(16.0, 16.0 * room / (BOLD * width_of(f"COUNTERFACTUAL{_title(report)}", 16.0)))


def _note(report: WhatIfReport) -> str:
    differ = f"{report.runs_that_differ:,} run{'' if report.runs_that_differ == 1 else 's'} would have gone another way"
    drawn = f" Of {report.inexact_runs:,}, only some courses are drawn." if report.inexact_runs else ""
    return f"Decided again: {differ}. A band spans what cannot be known.{drawn}"


def _legend() -> list[str]:
    y = 90
    return [
        f'<rect x="{LEFT}" y="{y - 10}" width="14" height="12" rx="2" class="bar"/>',
        f'<text x="{LEFT + 20}" y="{y}" class="ink">recorded</text>',
        f'<rect x="{LEFT + 96}" y="{y - 10}" width="14" height="12" rx="2" class="band"/>',
        f'<path d="M{LEFT + 96} {y - 10}h14M{LEFT + 96} {y + 2}h14" class="edge"/>',
        f'<text x="{LEFT + 116}" y="{y}" class="ink">counterfactual, from its lower to its upper bound</text>',
    ]


def _panel(
    points: Sequence[LoadPoint], top: float, head: str, values: Values, report: WhatIfReport, *, bars: bool
) -> list[str]:
    """One panel: recorded as bars or a line, counterfactual as a band."""
    found = [values(point) for point in points]
    highest, ticks = _ticks(max(max(row) for row in found))
    bottom = top + PANEL
    x = _across(points, report.bucket_ms)

    def y(value: float) -> float:
        return bottom - PANEL * value / highest

    day = clock_of(points[0].at_ms, "%Y-%m-%d")
    parts = [
        f'<text x="{LEFT}" y="{top - 14}" class="head ink">{safe(head)}</text>',
        f'<text x="{WIDTH - RIGHT}" y="{top - 14}" text-anchor="end" class="soft tick">from {day}, UTC</text>',
    ]
    for tick in ticks:
        parts.append(f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" class="{"axis" if tick == 0 else "grid"}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end" class="soft tick">{tick:,}</text>')
    if bars:
        for point, (recorded, _, _) in zip(points, found, strict=True):
            if recorded:
                left, right = x(point.at_ms), x(point.at_ms + report.bucket_ms)
                width = max(1.0, (right - left) * 0.86)
                parts.append(
                    f'<rect x="{left + (right - left - width) / 2:.1f}" y="{y(recorded):.1f}" width="{width:.1f}"'
                    f' height="{bottom - y(recorded):.1f}" class="bar"/>'
                )
    lower = _steps(points, [row[1] for row in found], x, y, report.bucket_ms)
    upper = _steps(points, [row[2] for row in found], x, y, report.bucket_ms)
    parts.append(f'<path d="M{_joined(upper)}L{_joined(lower[::-1])}Z" class="band"/>')
    if not bars:
        recorded_line = _steps(points, [row[0] for row in found], x, y, report.bucket_ms)
        parts.append(f'<path d="M{_joined(recorded_line)}" class="line"/>')
    parts += [f'<path d="M{_joined(line)}" class="edge"/>' for line in ((lower, upper) if lower != upper else (lower,))]
    return [*parts, *_times(points, x, bottom, report.bucket_ms)]


def _across(points: Sequence[LoadPoint], bucket_ms: int) -> Callable[[float], float]:
    first, last = points[0].at_ms, points[-1].at_ms + bucket_ms
    return lambda at: LEFT + (WIDTH - LEFT - RIGHT) * (at - first) / (last - first)


def _steps(
    points: Sequence[LoadPoint], values: Sequence[int], x: Callable[[float], float], y: Callable[[float], float],
    bucket_ms: int,
) -> list[tuple[float, float]]:  # fmt: skip
    """A line that is level within each bucket."""
    line: list[tuple[float, float]] = []
    for point, value in zip(points, values, strict=True):
        line += [(x(point.at_ms), y(value)), (x(point.at_ms + bucket_ms), y(value))]
    return line


def _joined(line: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in line)


def _ticks(most: int) -> tuple[int, list[int]]:
    """The top of an axis that holds *most*, and about four round numbers on it."""
    step = 1
    for candidate in (1, 2, 5, 10, 20, 25, 50):
        step = candidate
        if candidate * 5 >= most:
            break
    else:
        step = 50
        while step * 5 < most:
            step = step * 2 if str(step)[0] in "15" else step * 5 // 2
    top = max(1, -(-most // step)) * step
    return top, list(range(0, top + 1, step))


def _times(points: Sequence[LoadPoint], x: Callable[[float], float], bottom: float, bucket_ms: int) -> list[str]:
    """Times along the bottom, in UTC, where a bucket begins: at most seven."""
    first, last = points[0].at_ms, points[-1].at_ms + bucket_ms
    step = bucket_ms * -(-(last - first) // (6 * bucket_ms))
    form = "%m-%d %H:%M" if last - first > 86_400_000 else "%H:%M" if last - first >= 3_600_000 else "%H:%M:%S"
    parts = []
    for at in range(first, last + 1, step):
        text = clock_of(at, form)
        anchor = "start" if at == first else "end" if at == last else "middle"
        parts.append(f'<path d="M{x(at):.1f} {bottom}v5" class="axis"/>')
        parts.append(f'<text x="{x(at):.1f}" y="{bottom + 19}" text-anchor="{anchor}" class="soft tick">{text}</text>')
    return parts


def _span(ms: int) -> str:
    """A width of time in words."""
    for unit, name in ((604_800_000, "week"), (86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute")):
        if ms >= unit:
            return name if ms == unit else f"{ms // unit} {name}s"
    return "second" if ms == 1_000 else f"{ms // 1_000} seconds"
