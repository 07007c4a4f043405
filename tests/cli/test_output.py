"""Texts on terminals and in pipes: hostile ones do nothing, tables fit."""

import json

import pytest

from redrive.cli.events import EventLines
from redrive.cli.output import Output, folded, printable
from redrive.cli.tables import Column, fitted, plain_lines, shortened
from redrive.domain.redaction import Redactor
from redrive.history import HistoryEntry

COLUMNS = (Column("id", whole=True), Column("status"), Column("why", elastic=True), Column("at", wide=True))
ROW = ("a1b2c3d4", "open", "a reason that is rather long, longer than what a narrow terminal has room for", "now")


def test_what_a_terminal_would_act_on_is_shown() -> None:
    """Escapes, NUL, line ends, changes of direction, lone surrogates."""
    assert printable("a\x00b\x1b[31m\n\u202e\ud800") == "a\\x00b\\x1b[31m\\n\\u202e\\ud800"
    assert printable("Zoë 日本 [red] \\x00") == "Zoë 日本 [red] \\x00"


def test_long_texts_are_cut_where_there_is_no_room() -> None:
    """With an ellipsis."""
    assert printable("abcdef", 4) == "abc…"
    assert printable("abcd", 4) == "abcd"
    assert printable("\x00" * 10, 6) == "\\x00\\…"


def test_elastic_columns_give_way_first_and_ids_never() -> None:
    """What cannot be guessed is kept."""
    assert fitted(COLUMNS[:3], [8, 16, 90], 80) == [8, 16, 52]
    assert fitted(COLUMNS[:3], [8, 60, 90], 40) == [8, 16, 12]
    assert fitted((Column("id", whole=True),), [36], 20) == [20]
    assert fitted((*COLUMNS, Column("used", right=True)), [8, 16, 90, 20, 4], 40) == [8, 6, 7, 7, 4]


@pytest.mark.parametrize(("width", "told"), [(9, "fetch_all"), (8, "fe…h_all"), (4, "f…ll"), (2, "…l")])
def test_names_that_begin_alike_are_cut_in_the_middle(width: int, told: str) -> None:
    """Their ends tell them apart."""
    assert shortened("fetch_all", width) == told


@pytest.mark.parametrize("width", [40, 80, 119])
def test_a_table_fits_the_terminal(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    """And the id in it is whole, however many columns there are."""
    Output(json=False, terminal=True, width=width).table((*COLUMNS, *COLUMNS[1:3]), [(*ROW, *ROW[1:3])])
    assert "a1b2c3d4 " in capsys.readouterr().out
    Output(json=False, terminal=True, width=width).table(COLUMNS, [ROW])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert "a1b2c3d4" in lines[2]
    assert "now" not in lines[2]


def test_a_wide_terminal_shows_more(capsys: pytest.CaptureFixture[str]) -> None:
    """From 120 columns on."""
    Output(json=False, terminal=True, width=120).table(COLUMNS, [ROW])
    assert " AT" in capsys.readouterr().out


def test_markup_in_a_cell_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A reason never colours a table, nor breaks it."""
    Output(json=False, terminal=True, width=80).table([Column("why")], [["[bold]x[/bold] [/nothing] :smile:\x1b[1m"]])
    assert "[bold]x[/bold] [/nothing] :smile:\\x1b[1m" in capsys.readouterr().out


def test_in_a_pipe_there_are_plain_lines_and_nothing_is_cut() -> None:
    """No boxes, no colours, every column."""
    lines = list(plain_lines([*COLUMNS, Column("n", right=True)], [[*ROW, "7"], ["b", "open", "short", "now", "12"]]))
    assert lines[0].split() == ["ID", "STATUS", "WHY", "AT", "N"]
    assert ROW[2] in lines[1]
    assert lines[2].endswith("12")
    assert all(line.isprintable() for line in lines)


def test_remarks_keep_out_of_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """They go to standard error; on a terminal they stand below the answer."""
    Output(json=False, terminal=False, width=80).remark("nothing here")
    assert capsys.readouterr() == ("", "nothing here\n")
    Output(json=False, terminal=True, width=80).remark("nothing here")
    assert capsys.readouterr() == ("nothing here\n", "")


def test_json_is_ascii_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the terminal's encoding, and however hostile the text."""
    Output(json=True, terminal=False, width=80).item("run", {"why": "Zoë\x1b\u2028\x7f"})
    out = capsys.readouterr().out
    assert out.isascii()
    assert out.count("\n") == 1
    assert json.loads(out) == {"schema": "redrive.run/1", "item": {"why": "Zoë\x1b\u2028\x7f"}}


def test_long_lines_go_on_below_their_beginning() -> None:
    """On a terminal; a word that no line holds is divided, and nothing is lost."""
    text = "   3076  caused by   publish: attempt 2 of 3 failed, " + "x" * 70
    lines = folded(text, 60, 21).split("\n")
    assert lines[0].startswith("   3076  caused by   publish: attempt 2")
    assert all(line.startswith(" " * 23) and len(line) <= 60 for line in lines[1:])
    assert "".join(text.split()) == "".join("".join(lines).split())
    assert folded("short", 60, 70) == "short"


def test_events_that_are_longer_than_the_terminal_go_on_below_their_words(capsys: pytest.CaptureFixture[str]) -> None:
    """So that the times stand alone in their column; in a pipe an event is one line."""
    entry = HistoryEntry.model_construct(
        position=7, recorded_at_ms=0, topic="x.y", run="", node=None, actor="human:ana", on_behalf_of=None,
        reason="the bank was down " * 8, data={},
    )  # fmt: skip
    for terminal in (True, False):
        EventLines(Output(json=False, terminal=terminal, width=60), Redactor()).print(entry)
    _, first, *others, piped = capsys.readouterr().out.splitlines()
    assert first.startswith("     7  00:00:00.000  x.y (by ana: the bank")
    assert " ".join(" ".join((first, *others)).split()).count("the bank was down") == 8
    assert all(len(line) <= 60 and line.startswith(" " * 22) for line in others)
    assert piped.count("the bank was down") == 8
