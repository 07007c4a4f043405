"""What the runner reads from its drivers, and the table that it makes of it."""

import sys
from pathlib import Path

import pytest

from benchmarks.peers import environments
from benchmarks.peers.__main__ import Measurements, chosen
from benchmarks.peers.outcomes import FailedError, Outcome, drive, parse
from benchmarks.peers.postgres import named
from benchmarks.peers.tables import BEGIN, END, peers_table, written
from benchmarks.peers.ways import BEST_SQLITE, ONE_SQLITE, WAYS


def outcome(rate: float) -> Outcome:
    """A hundred lifecycles at *rate*."""
    return Outcome(100, 100 / rate, 0.5, "thing 1.0", "set")


def test_rows_are_compared_with_redrives_round_by_round() -> None:
    """Medians with their spread; the ratio is of the rates of the same round."""
    rounds = {ONE_SQLITE: [outcome(100), outcome(300)], "huey-sqlite-one": [outcome(50), outcome(100)]}
    rows = peers_table(WAYS, rounds).splitlines()[2:]
    assert rows[0].startswith("| redrive, one worker | SQLite | 200 (100–300) |  |  | 5.0 | thing 1.0; set |")
    assert rows[1].startswith("| Huey, one worker, its best | SQLite | 75 (50–100) | 2.50 (2.00–3.00) | one worker |")
    assert len(rows) == 2


def test_without_redrives_row_there_is_no_ratio() -> None:
    """As long as redrive does not know the store."""
    (row,) = peers_table(WAYS, {"pgqueuer-postgresql-one": [outcome(50)]}).splitlines()[2:]
    assert "| 50 (50–50) |  |  | 5.0 |" in row


def test_every_way_has_its_own_key_and_a_row_of_redrive_beside_it() -> None:
    """And what it compares itself with is on the same store."""
    by_key = {way.key: way for way in WAYS}
    assert len(by_key) == len(WAYS)
    for way in WAYS:
        assert (way.engine == "redrive") == (not way.beside)
        assert not way.beside or by_key[way.beside].store == way.store
    assert by_key[BEST_SQLITE].engine == "redrive"


def test_every_environment_has_pinned_requirements() -> None:
    """Whoever repeats the measurement measures the same versions."""
    for name in {way.environment for way in WAYS if way.environment}:
        lines = (environments.REQUIREMENTS / f"{name}.txt").read_text().splitlines()
        assert lines
        assert all("==" in line for line in lines), name


def test_only_some() -> None:
    """The rows of redrive are always among them: the ratios need them."""
    assert {way.engine for way in chosen("huey")} == {"redrive", "Huey"}
    assert chosen("") == list(WAYS)


@pytest.mark.parametrize("said", ["", "Traceback …", '{"lifecycles": 1}', "[]"])
def test_a_last_line_that_is_no_outcome(said: str) -> None:
    """Is a failure of the driver, with its words."""
    with pytest.raises(FailedError, match="no outcome"):
        parse(said)


def test_a_driver_that_ends_badly_fails_with_its_words() -> None:
    """The runner says which, and goes on with the others."""
    with pytest.raises(FailedError, match=r"no_such_driver one ended with 1: .*No module named"):
        drive(Path(sys.executable), "no_such_driver", "sqlite:///x", 1, "one")


def test_rows_on_postgresql_are_left_out_without_a_server() -> None:
    """In a sentence each; nothing is started for them."""
    way = next(way for way in WAYS if way.key == "redrive-postgresql-one")
    found = Measurements(None, None)
    found.round([way])
    assert "is left out" in found.skipped[way.key]
    assert not found.rounds


def test_the_page_keeps_what_stands_around_the_table(tmp_path: Path) -> None:
    """Only what is between the markers is replaced; a page without them is refused."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    written(page, "| new |")
    assert page.read_text() == f"before\n{BEGIN}\n\n| new |\n\n{END}\nafter\n"
    page.write_text("no markers")
    with pytest.raises(SystemExit, match="has no lines"):
        written(page, "| new |")


def test_another_database_of_the_same_server() -> None:
    """By socket or by address, without the empty password that some drivers stumble over."""
    assert named("postgresql://postgres:@/postgres?host=/tmp/x", "peers") == "postgresql://postgres@/peers?host=/tmp/x"
    assert named("postgresql://me:pw@127.0.0.1:5433/a", "peers") == "postgresql://me:pw@127.0.0.1:5433/peers"
