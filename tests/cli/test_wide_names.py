"""Names in scripts whose characters take two cells of a terminal, or none."""

import pytest
from rich.cells import cell_len

from redrive.cli.output import Output
from redrive.cli.tables import shortened
from redrive.cli.timeline import COUNT, NAME, _print_row
from redrive.forensics.timelines.strip import Row

NAMES = (
    "部署生产环境数据库迁移任务一二三四五六七八九十",
    "e\u0301tape",
    "plain",
    "\U0001f469\u200d\U0001f467 family of nodes",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [1, 2, 5, 18, 40])
def test_a_name_is_cut_by_cells(name: str, width: int) -> None:
    """Not by characters: two cells each would reach into the next column."""
    assert cell_len(shortened(name, width)) <= width


@pytest.mark.parametrize("terminal", [True, False])
def test_the_lanes_of_a_timeline_begin_in_one_column(terminal: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """So that what stands below one another happened at one time."""
    for name in NAMES:
        _print_row(Output(json=False, terminal=terminal, width=80), Row(name, "1/2 failed", (("█", "attempt"),)))
    lines = capsys.readouterr().out.splitlines()
    assert {cell_len(line.partition("█")[0]) for line in lines} == {NAME + COUNT + 2}
