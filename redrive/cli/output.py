"""What the command line prints: tables for people, plain lines for pipes, JSON for programs."""

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from textwrap import wrap
from typing import Any

from redrive.cli.tables import Column, plain_lines, print_table

WIDE = 120
NARROWEST = 40


def printable(text: object, most: int | None = None) -> str:
    r"""*text* on one line, at most *most* characters: what a terminal would act on is shown as ``\x00``."""
    whole = text if isinstance(text, str) else str(text)
    if most is not None:
        whole = whole[: most + 1]
    if not whole.isprintable():
        whole = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in whole)
    return whole if most is None or len(whole) <= most else whole[: most - 1] + "…"


def folded(text: str, width: int, hang: int) -> str:
    """*text* in lines of *width* characters, divided at blanks where there are any; what follows column *hang* stays
    to the right of it."""
    hang = min(hang, width // 2)
    lines = wrap(text[hang:], width - hang, subsequent_indent="  ", break_on_hyphens=False, replace_whitespace=False)
    return text[:hang] + ("\n" + " " * hang).join(lines)


@dataclass(frozen=True)
class Output:
    """Where and how to print. *json*: one document per command, or one object per line of a stream. *footing*: what a
    report about the past stands on; its documents carry it. *aside*: what must be known of the commands to type next.
    """

    json: bool
    terminal: bool
    width: int
    advises: bool = True
    footing: Mapping[str, Any] | None = None
    aside: str = ""

    @classmethod
    def here(cls, *, json: bool) -> "Output":
        """To this process's standard output."""
        return cls(json=json, terminal=sys.stdout.isatty(), width=shutil.get_terminal_size().columns)

    @property
    def wide(self) -> bool:
        """Whether there is room for further columns: always in a pipe."""
        return not self.terminal or self.width >= WIDE

    def items(self, schema: str, items: Iterable[object], cursor: str | None = None) -> None:
        """A list, as JSON."""
        listed = {"items": [document_of(item) for item in items], "cursor": cursor}
        self._json({"schema": f"redrive.{schema}/1", **listed, **self._footed})

    def item(self, schema: str, item: object, ahead: Mapping[str, object] | None = None) -> None:
        """A single object, as JSON; *ahead* is what a reader must meet first."""
        first, document = {**(ahead or {}), "schema": f"redrive.{schema}/1"}, document_of(item)
        stands_on = {"footing": document["footing"]} if document.get("footing") else {}
        self._json({**first, "item": document, **stands_on, **self._footed})

    def entry(self, schema: str, entry: object) -> None:
        """An object of a stream, as JSON on a line of its own."""
        self._json({"schema": f"redrive.{schema}/1", **document_of(entry)})

    def say(self, text: str = "", *, hang: int | None = None) -> None:
        """A line of the answer. Hostile parts of it are ``printable`` already. *hang*: where a terminal has no room,
        it goes on below, indented so far and a little more."""
        if hang is not None and self.terminal and len(text) > self.width:
            text = folded(text, max(self.width, NARROWEST), hang)
        sys.stdout.write(f"{text}\n")

    def remark(self, text: str) -> None:
        """A line about the answer: in a pipe it goes to standard error, where it is not taken for data."""
        (sys.stdout if self.terminal else sys.stderr).write(f"{text}\n")

    def next(self, *commands: tuple[str, str]) -> None:
        """Commands worth typing now, each with what it is good for; none about the past."""
        if not self.advises:
            return
        width = max((len(command) for command, _ in commands), default=0)
        lines = [f"  {command.ljust(min(width, 60))}  # {purpose}" for command, purpose in commands]
        heading = f"Next{self.aside}:"
        self.remark("\n".join([f"\n{heading}" if self.terminal else heading, *lines]))

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
        """Rows under headings; columns that are only for wide terminals go where there is no room."""
        shown = [n for n, column in enumerate(columns) if self.wide or not column.wide]
        chosen = [columns[n] for n in shown]
        cells = [["" if row[n] is None else printable(row[n], 2_000) for n in shown] for row in rows]
        if self.terminal:
            print_table(chosen, cells, self.width)
        else:
            sys.stdout.writelines(f"{line}\n" for line in plain_lines(chosen, cells))

    def facts(self, facts: Iterable[tuple[str, object]]) -> None:
        """Names and values, one to a line; what is None is left out."""
        told = [(name, printable(value)) for name, value in facts if value is not None]
        width = max((len(name) for name, _ in told), default=0)
        for name, value in told:
            self.say(f"{name.ljust(width)}  {value}")

    @property
    def _footed(self) -> dict[str, Any]:
        return {} if self.footing is None else {"footing": self.footing}

    def _json(self, document: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(document, allow_nan=False) + "\n")  # ASCII: safe for every terminal and locale


def document_of(item: object) -> dict[str, Any]:
    """*item*, a model, dataclass or dict, as a JSON object."""
    if isinstance(item, dict):
        return item
    if is_dataclass(item) and not isinstance(item, type):
        return asdict(item)
    document: dict[str, Any] = item.model_dump(mode="json")  # type: ignore[attr-defined]
    return document
