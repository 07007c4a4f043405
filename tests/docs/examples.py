"""What a page of the documentation lets a reader do, found so that it can be done in a test.

````markdown
<!-- file: report.yaml -->        the next block is saved under this name
<!-- not run -->                  the next block is only looked at
```python                         is executed; the blocks of a page share their names
```console                        the lines after ``$`` are typed into a shell; what follows is what it prints
````

In what a shell prints, ``…`` stands for anything, within a line, or as a line of its own for any number of lines.
A plain ``redrive …`` is called in this process, because starting Python costs more than most commands.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.region import Lexeme

from redrive.cli.root import cli

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(
    r"^(?:<!-- (?P<note>not run|file: (?P<file>\S+)) -->\n)?"
    r"(?P<indent> *)(?P<fence>`{3,})(?P<language>[a-z]*)\n(?P<body>.*?)^(?P=indent)(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
PLAIN = re.compile(r"redrive [^|&;<>$`*?]*\n\Z")
TIMEOUT_S = 240


def parsed(path: Path) -> Document:
    """The page at *path*, with its examples."""
    return Sybil(parsers=[examples_of]).parse(path)


def examples_of(document: Document) -> Iterator[Region]:
    """The blocks of a page that can be executed."""
    for found in BLOCK.finditer(document.text):
        body = found["body"]
        start, end = found.span("body")
        if found["file"]:
            yield Region(start, end, (found["file"], body), _save)
        elif found["note"]:
            continue
        elif found["language"] == "python":
            yield Region(start, end, Lexeme(body, 0, -1), PythonEvaluator())
        elif found["language"] == "console":
            yield Region(start, end, body, _type)


def _save(example: Example) -> None:
    name, body = example.parsed
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(body, encoding="utf-8")


def _type(example: Example) -> None:
    for command, expected in _commands(example.parsed):
        printed = _called(command) if PLAIN.match(command) else _shell(command)
        if expected.strip():
            assert _alike(expected, printed), f"{command}\nis said to print\n{expected}\nand prints\n{printed}"


def _commands(body: str) -> Iterator[tuple[str, str]]:
    """Each command with what it is said to print; a line that ends in a backslash goes on."""
    for piece in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command = ""
        lines = iter(piece.splitlines(keepends=True))
        for line in lines:
            command += line
            if not line.endswith("\\\n"):
                break
        yield command, "".join(lines)


def _called(command: str) -> str:
    """What a command of redrive prints when it is called here."""
    _, *words = shlex.split(command.replace("\\\n", " "))
    return CliRunner().invoke(cli, words).output


def _shell(command: str) -> str:
    """What *command* prints, standard error included, in the order in which it comes."""
    path = os.pathsep.join([str(Path.cwd() / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", f"exec 2>&1\n{command}"],
        env={**_plain_environment(), "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return done.stdout


def _plain_environment() -> dict[str, str]:
    """The environment without redrive's settings, with this tree in front."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REDRIVE_")}
    return {**kept, "PYTHONPATH": str(ROOT), "LOGNAME": "ana", "COLUMNS": "110"}


def _alike(expected: str, printed: str) -> bool:
    pattern = "".join(r"(?:.*\n)*?" if line.strip() == "…" else _line(line) for line in expected.rstrip().splitlines())
    return re.fullmatch(pattern, printed.rstrip() + "\n") is not None


def _line(line: str) -> str:
    return re.escape(line.rstrip()).replace("…", ".*") + r"[ \t]*\n"
