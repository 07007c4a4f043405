"""The one table, and the page between whose markers it is written."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measure import median, spread, table
from benchmarks.peers.outcomes import Outcome
from benchmarks.peers.ways import Way

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
HEAD = (
    "engine and way",
    "store",
    "lifecycles/s",
    "redrive ÷ it",
    "compared with redrive's",
    "CPU ms per lifecycle",
    "versions; settings",
)
Rounds = Mapping[str, Sequence[Outcome]]


def peers_table(ways: Sequence[Way], measured: Rounds) -> str:
    """One row per way that was measured, in their order."""
    by_key = {way.key: way for way in ways}
    return table(HEAD, [_row(way, by_key.get(way.beside), measured) for way in ways if measured.get(way.key)])


def _row(way: Way, beside: Way | None, measured: Rounds) -> list[str]:
    outcomes = measured[way.key]
    compared = measured.get(way.beside, ()) if beside else ()
    ratios = [ours.rate / theirs.rate for ours, theirs in zip(compared, outcomes, strict=False)]
    return [
        f"{way.engine}, {way.how}",
        way.store,
        spread([outcome.rate for outcome in outcomes]),
        spread(ratios, 2) if ratios else "",
        beside.how.removeprefix("its best: ") if beside and ratios else "",
        f"{median([outcome.cpu_ms for outcome in outcomes]):.1f}",
        f"{outcomes[-1].version}; {outcomes[-1].settings}",
    ]


def written(page: Path, text: str) -> None:
    """Replace what stands between the markers of *page*. Raises SystemExit when they are not there."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} has no lines {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
