"""The maps at the top of large folders: whoever opens one finds every module named, with what it is for."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("domain", "processes", "projections", "redrive/ledger", "redrive/evidence", "redrive/forensics")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_names_all_that_lies_in_it(folder: str) -> None:
    """A module that is added gets a word on the map; one that goes leaves it."""
    place = ROOT / folder
    told = ast.get_docstring(ast.parse((place / "__init__.py").read_text("utf-8"))) or ""
    modules = {path.stem for path in place.glob("*.py")} | {path.parent.name for path in place.glob("*/__init__.py")}
    missing = sorted(name for name in modules - {"__init__"} if f"``{name}``" not in told)
    assert not missing, f"{folder}/__init__.py is a map, and says nothing of {', '.join(missing)}"
