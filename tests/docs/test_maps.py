"""The maps at the top of large folders: whoever opens one finds every module named, with what it is for."""

import ast
from pathlib import Path

import pytest

from redrive.cli.root import COMMANDS

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "domain",
    "processes",
    "projections",
    *("redrive/cli", "redrive/evidence", "redrive/evidence/bundle", "redrive/faults", "redrive/flow_files"),
    *("redrive/forensics", "redrive/forensics/causes", "redrive/forensics/decided_again"),
    *("redrive/forensics/invariants", "redrive/forensics/timelines", "redrive/forensics/what_if"),
    *("redrive/ledger", "redrive/ledger/postgres", "redrive/privacy"),
)

ENTERED = {where.split(":")[0].rpartition(".")[2] for where in COMMANDS.values()}
"""A command's module has its name, and needs no word on a map."""


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_names_all_that_lies_in_it(folder: str) -> None:
    """A module that is added gets a word on the map; one that goes leaves it."""
    place = ROOT / folder
    told = _docstring(place / "__init__.py")
    modules = {path.stem for path in place.glob("*.py")} | {path.parent.name for path in place.glob("*/__init__.py")}
    plain = {"__init__"} | (ENTERED if folder == "redrive/cli" else set())
    missing = sorted(name for name in modules - plain if f"``{name}``" not in told)
    assert not missing, f"{folder}/__init__.py is a map, and says nothing of {', '.join(missing)}"


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
