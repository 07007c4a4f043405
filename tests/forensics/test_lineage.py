"""Lineage: every event of any log goes back to a root, and never in a circle."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import pytest
from click.testing import CliRunner

import redrive
from redrive.cli.root import cli
from redrive.domain.event import Recorded
from redrive.forensics.causes.lineage import lineage_of
from redrive.forensics.causes.neighbours import children_of
from redrive.forensics.causes.roots import root_of
from tests.stores import log_url

DATA = Path(__file__).parents[3] / "shared" / "data"


def by_correlation(events: Iterable[Recorded]) -> list[list[Recorded]]:
    """The events of each run, in log order."""
    ordered = sorted(events, key=lambda one: (one.correlation, one.position))
    return [list(some) for _, some in groupby(ordered, key=lambda one: one.correlation)]


def rootless(engine: redrive.Engine, events: Sequence[Recorded]) -> list[int]:
    """Events that go back to nothing: no link, and no root that can be told. A link leads to an earlier event, so
    that a chain of them ends."""
    links = lineage_of(events, children_of(engine.ledger, events)).links
    assert all(link.position < place for place, found in links.items() for link in found)
    lost = []
    for one in events:
        root = root_of(one, known=any(link.how == "caused" for link in links[one.position]))
        if not links[one.position] and (root is None or root.kind == "unseen"):
            lost.append(one.position)
    return lost


def test_every_event_goes_back_to_a_root(engine: redrive.Engine) -> None:
    """Of random logs with two tenants, and of what older versions wrote."""
    events = [event for some in engine.ledger.replay() for event in some]
    assert [rootless(engine, run) for run in by_correlation(events) if rootless(engine, run)] == []


@pytest.mark.long
@pytest.mark.slow
def test_every_event_of_a_simulated_workflow_goes_back_to_a_root(tmp_path: Path) -> None:
    """A scientific workflow with failures at random."""
    files = sorted(DATA.rglob("*.json"), key=lambda path: path.stat().st_size) if DATA.is_dir() else []
    workflows = [path for path in files if '"schemaVersion"' in path.read_text(encoding="utf-8")[:4_096]]
    if not workflows:
        pytest.skip("the real inputs are not beside this project")
    url = log_url(tmp_path / "sim.db")
    words = [
        "run",
        str(workflows[len(workflows) // 2]),
        "--simulate",
        "--time-scale",
        "0",
        "--failure-rate",
        "0.1",
        "--db",
        url,
    ]
    CliRunner().invoke(cli, words)
    with redrive.open(url) as engine:
        (events,) = by_correlation(engine.ledger.read(limit=100_000))
        assert len(events) > 20
        assert rootless(engine, events) == []
        assert engine.timeline(events[0].correlation).lanes
