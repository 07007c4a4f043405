"""Pictures of timelines: well-formed, safe, bounded, the same every time; and the same as characters."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import redrive
from redrive.forensics.timelines.axis import axis_of, lasting
from redrive.forensics.timelines.picture import svg_of
from redrive.forensics.timelines.picture_parts import Theme
from redrive.forensics.timelines.spans import timeline_of
from redrive.forensics.timelines.strip import lines_of, rows_of
from redrive.forensics.timelines.timeline import Kind, Timeline, TimelineEntry, TimelineLane
from tests.forensics.incidents import BEGIN_MS, Incident
from tests.processes.workshop import Shop, beside, policy

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ET.Element:
    """The picture as XML."""
    return ET.fromstring(svg)


def entry(n: int, lane: str, begin_ms: int, took_ms: int, kind: Kind = "attempt") -> TimelineEntry:
    """A failed attempt, or what *kind* says."""
    return TimelineEntry(
        kind=kind, lane=lane, position=n, begin_ms=begin_ms, end_position=n + 1, end_ms=begin_ms + took_ms,
        what=f"attempt {n}", outcome="failed", cause="provider_transient: HTTP 503",
    )  # fmt: skip


def big(attempts: int, nodes: int) -> Timeline:
    """Many attempts of many nodes, one after the other."""
    each = attempts // nodes
    entries = tuple(entry(n, f"node-{n % nodes}", BEGIN_MS + 10 * (n // nodes), 7) for n in range(attempts))
    lanes = tuple(
        TimelineLane(
            name=f"node-{n}", attempts=each, failed=each, standing="failed", busy_ms=7, waited_ms=0, dead_letter_ms=0
        )
        for n in range(nodes)
    )
    return timeline_of([], key="k").model_copy(
        update={"entries": entries, "lanes": lanes, "begin_ms": BEGIN_MS, "end_ms": entries[-1].end_ms}
    )


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_a_picture_is_well_formed_and_names_itself(incident: Incident, theme: str) -> None:
    """Valid XML with a title and a description, in every theme; hostile text stays text."""
    root = parsed(svg_of(incident.acme.timeline(incident.run), theme))  # type: ignore[arg-type]
    assert root.tag == f"{SVG}svg"
    assert root.get("aria-labelledby") == "name about"
    assert "5 failed" in (root.findtext(f"{SVG}desc") or "")
    texts = "".join(root.itertext())
    assert "archive <b>&" in texts
    assert "HTTP 503 from <bank> & co \\x1b[31m\\x00 ]]> \\u202eabc" in texts


def test_a_picture_needs_nothing_from_outside(incident: Incident) -> None:
    """No script, no link, no font, no image."""
    svg = svg_of(incident.acme.timeline(incident.run))
    root = parsed(svg)
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {
        "svg", "title", "desc", "style", "rect", "line", "text", "path", "g"
    }  # fmt: skip
    assert svg.count("http") == svg.count("http://www.w3.org/2000/svg")
    assert not [name for one in root.iter() for name in one.attrib if name.startswith("on") or "href" in name]


def test_a_picture_is_the_same_every_time(incident: Incident) -> None:
    """And follows the reader's preference only when it is asked to."""
    told = incident.acme.timeline(incident.run)
    assert svg_of(told) == svg_of(told.model_copy(deep=True))
    assert "prefers-color-scheme" in svg_of(told)
    assert "prefers-color-scheme" not in svg_of(told, "dark")


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_colours_are_drawn_by_programs_that_know_no_variables(incident: Incident, theme: Theme) -> None:
    """Converters and word processors draw what they do not understand black on black."""
    svg = svg_of(incident.acme.timeline(incident.run), theme)
    assert "var(" not in svg
    assert svg.count(".failed{fill:#c9342b}") == (theme != "dark")
    assert svg.count(".failed{fill:#f2695f}") == (theme != "light")


def test_lanes_bars_breaks_and_people_are_drawn(incident: Incident) -> None:
    """Three hours without an event are cut out; three actions of people are listed."""
    svg = svg_of(incident.acme.timeline(incident.run))
    assert "≈ 3 h" in svg
    for kind in ("succeeded", "failed", "backoff", "letter", "stopped", "person", "asked", "claim"):
        assert f'class="{kind}"' in svg, kind
    assert [text for text in ("bank was down", "the bank is back", "looks right") if text not in svg] == []


@pytest.mark.parametrize(
    ("attempts", "nodes", "most"), [(500, 1, 120_000), (5_000, 1_101, 300_000), (50_000, 40, 2**22)]
)
def test_a_picture_does_not_grow_with_the_log(attempts: int, nodes: int, most: int) -> None:
    """At most forty lanes, and in each no more bars than can be told apart."""
    svg = svg_of(big(attempts, nodes))
    assert len(svg) < most
    assert parsed(svg).tag == f"{SVG}svg"
    assert ("other lanes" in svg) == (nodes > 40)


def test_lanes_without_room_tell_how_many_attempts_ran_at_a_time() -> None:
    """As it was, one after the other; many of them share a place of the picture."""
    timeline = big(5_000, 100)
    entries = [
        one.model_copy(update={"begin_ms": BEGIN_MS + n, "end_ms": BEGIN_MS + n + 1})
        for n, one in enumerate(timeline.entries)
    ]
    svg = svg_of(timeline.model_copy(update={"entries": tuple(entries), "end_ms": BEGIN_MS + 5_000}))
    assert "60 other lanes, 3,000 attempts, at most 1 at a time" in svg


def test_an_empty_timeline_is_a_picture_too() -> None:
    """Nothing happened: that can be drawn."""
    assert parsed(svg_of(timeline_of([], key="<&>"))).tag == f"{SVG}svg"


def test_another_theme_is_refused(incident: Incident) -> None:
    """The words that are accepted are named."""
    with pytest.raises(redrive.InvalidValue, match="auto, light or dark"):
        svg_of(incident.acme.timeline(incident.run), "pink")  # type: ignore[arg-type]


def test_an_axis_breaks_where_nothing_happened_for_long() -> None:
    """Order is kept, round times are named, and no tick lies in a break."""
    axis = axis_of([0, 1_000, 2_000, 5_000_000, 5_001_000, 5_003_000], width=1_000, broken=50)
    (gap,) = axis.breaks
    assert (gap.begin_ms, gap.end_ms, round(gap.right - gap.left)) == (2_000, 5_000_000, 50)
    places = [axis.place(ms) for ms in (0, 1_000, 2_000, 5_000_000, 5_001_000, 5_003_000)]
    assert places == sorted(places)
    assert places[-1] == pytest.approx(1_000)
    assert all(place <= gap.left or place >= gap.right for place, _ in axis.ticks(60))


@pytest.mark.parametrize("times", [[], [7], [7, 7], [0, 10**15], list(range(0, 10**6, 997))])
def test_an_axis_of_any_times_is_sound(times: list[int]) -> None:
    """No time, one time, the same time, and as far apart as a clock can be."""
    axis = axis_of(times, width=500, broken=40)
    assert all(0 <= axis.place(ms) <= 500.01 for ms in [*times, -5, 10**16])
    assert len(axis.ticks(50)) <= 12


@pytest.mark.parametrize(
    ("ms", "told"),
    [(0, "0 ms"), (999, "999 ms"), (1_500, "1.5 s"), (125_000, "2 min 5 s"), (12_000_000, "3 h 20 min"),
     (86_400_000, "1 d")],
)  # fmt: skip
def test_durations_have_two_units_at_most(ms: int, told: str) -> None:
    """Rounded down."""
    assert lasting(ms) == told


def test_rows_of_characters_fit_the_width(incident: Incident) -> None:
    """Whatever the width, each lane is one row of that many cells, with how attempts ended."""
    for width in (30, 76, 140):
        rows = {row.name: row for row in rows_of(incident.acme.timeline(incident.run), width)}
        assert {len(row.cells) for row in rows.values()} == {width}
        assert {"✗", "✓"} <= {char for char, _ in rows["publish"].cells}
        assert rows["publish"].count == "5/6 failed"


def test_failures_alike_are_told_once() -> None:
    """The first and the last of five hundred, and how many lay between."""
    lines = lines_of(big(500, 1))
    assert [line.text for line in lines if line.entry is None] == [
        "… node-0: 498 more failed the same way, within 4.9 s"
    ]
    assert len(lines) == 3


def test_many_lines_are_cut_in_the_middle() -> None:
    """The beginning and the end of an incident matter most."""
    lines = lines_of(big(400, 100), most=30)
    assert len(lines) == 31
    assert sum(line.entry is None and "more" in line.text for line in lines) >= 1


def test_the_picture_of_a_what_if_tells_times_that_no_calendar_holds(tmp_path: Path) -> None:
    """A clock may be as wrong as it likes."""
    shop = Shop(tmp_path / "log.db")
    shop.now = 2**52
    shop.submit(beside("a", retry=policy(1)))
    shop.fail(*shop.claim().attempts, failure=redrive.Failure("provider_transient", "no answer"))
    with shop.engine.what_if({"version": 1}) as answer:
        assert " ms, UTC" in "".join(parsed(answer.svg()).itertext())
    shop.engine.close()


@pytest.mark.parametrize(("short", "long"), [("claim", "stopped"), ("stopped", "claim"), ("queue", "backoff")])
def test_a_bar_of_several_spans_is_what_most_of_its_time_was(short: Kind, long: Kind) -> None:
    """A run that is blocked for hours after a claim of a second was not claimed for hours."""
    times = [BEGIN_MS + n * 1_000_000 for n in range(20)]
    spans = [entry(2 * n, "", at, 1_000, short) for n, at in enumerate(times)]
    spans += [entry(2 * n + 1, "", at + 1_000, 999_000, long) for n, at in enumerate(times)]
    told = big(10, 1).model_copy(update={"entries": tuple(spans), "end_ms": times[-1] + 1_000_000})
    lane = TimelineLane(name="", attempts=0, failed=0, standing="", busy_ms=0, waited_ms=0, dead_letter_ms=0)
    root = parsed(svg_of(told.model_copy(update={"lanes": (lane,)})))
    assert widths(root)[long] > 900
    assert widths(root).get(short, 0) < 100


def test_what_is_not_over_lasts_until_the_end(alarm: Incident) -> None:
    """A run that is blocked since: not a claim of a millisecond that goes on."""
    told = alarm.acme.timeline(alarm.run)
    [stopped] = [one for one in told.entries if one.kind == "stopped"]
    assert stopped.end_ms is None
    begin_ms = stopped.begin_ms - 1
    beside = [entry(9 + n, "publish", begin_ms + 20 * n, 9) for n in range(45)]
    entries = (entry(1, "", begin_ms, 1, "claim"), stopped, *beside)
    times = {"begin_ms": begin_ms, "end_ms": begin_ms + 900}
    drawn = widths(parsed(svg_of(told.model_copy(update={"entries": entries, **times}))))
    assert drawn["stopped still"] > 900
    assert "claim still" not in drawn


def widths(root: ET.Element) -> dict[str, float]:
    """How wide the bars of each kind are together."""
    found: dict[str, float] = {}
    for one in root.iter(f"{SVG}rect"):
        found[one.get("class", "")] = found.get(one.get("class", ""), 0) + float(one.get("width", 0))
    return found
