"""Tables: with rich on a terminal, as aligned plain lines in a pipe."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

MOST_PADDING = 40
LEAST_ELASTIC = 12
LEAST_OTHER = 8
GAP = 2

_STYLES = {
    "open": "bold red",
    "failed": "red",
    "blocked": "red",
    "needs_review": "bold red",
    "parked": "bold magenta",
    "running": "cyan",
    "retrying": "cyan",
    "retry_requested": "cyan",
    "completed": "green",
    "succeeded": "green",
    "resolved": "green",
}


@dataclass(frozen=True)
class Column:
    """A heading. *wide*: shown only where there is room; *elastic*: gives way when there is none; *right*: numbers;
    *whole*: never cut; *ends*: cut in the middle, for names that begin alike."""

    name: str
    wide: bool = False
    elastic: bool = False
    right: bool = False
    whole: bool = False
    ends: bool = False


def print_table(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> None:
    """Print with rich, within *width*. Cells are texts, never markup."""
    from rich.console import Console

    Console(width=width, highlight=False, emoji=False, markup=False).print(_table(columns, cells, width))


def plain_lines(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """Headings and rows, two spaces between columns; nothing is cut."""
    lines = [[column.name.upper() for column in columns], *cells]
    widths = [min(max(len(line[n]) for line in lines), MOST_PADDING) for n in range(len(columns))]
    for line in lines:
        parts = [
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ]
        yield (" " * GAP).join(parts).rstrip()


def fitted(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    """The widths of the columns within *width*: elastic ones give way first, always the widest of them. Where that is
    not enough, all but whole ones become narrower than can be read: an id that is cut can not be typed."""
    widths = [min(wanted, width) for wanted in natural]
    for elastic, least in ((True, LEAST_ELASTIC), (False, LEAST_OTHER), (None, 1)):
        giving = [n for n, column in enumerate(columns) if elastic in (column.elastic, None) and not column.whole]
        while giving and sum(widths) + GAP * (len(widths) - 1) > width:
            widest = max(giving, key=widths.__getitem__)
            if widths[widest] <= least:
                break
            widths[widest] -= 1
    return widths


def _table(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> "Table":
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    natural = [max(map(cell_len, (column.name, *(row[n] for row in cells)))) for n, column in enumerate(columns)]
    widths = fitted(columns, natural, width)
    for column, fit in zip(columns, widths, strict=True):
        table.add_column(
            column.name.upper(),
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=fit,
        )
    for row in cells:
        styles = [_STYLES.get(row[n], "") if column.name == "status" else "" for n, column in enumerate(columns)]
        texts = [shortened(row[n], widths[n]) if column.ends else row[n] for n, column in enumerate(columns)]
        table.add_row(*map(Text, texts, styles))
    return table


def shortened(name: str, width: int, ahead: int | None = None) -> str:
    """*name* within *width* cells of a terminal, cut in the middle: the beginnings of names are alike, their ends tell
    them apart. *ahead* of the cut there is a third of it, unless said otherwise. Wide characters take two cells."""
    from rich.cells import cell_len

    if cell_len(name) <= width:
        return name
    head = _cells(name, (width - 1) // 3 if ahead is None else ahead)
    tail = _cells(name[len(head) :][::-1], width - 1 - cell_len(head))
    return f"{head}…{tail[::-1]}"


def _cells(text: str, most: int) -> str:
    """As much of *text* as fits in so many cells."""
    from rich.cells import get_character_cell_size

    used = 0
    for n, char in enumerate(text):
        used += get_character_cell_size(char)
        if used > most:
            return text[:n]
    return text
