"""What a user installs: a wheel with every file of the tree, or no wheel at all, and an import that costs little."""

import ast
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import redrive

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("domain", "projections", "processes")
SHIPPED = ("redrive", *ROOMS, "pyproject.toml", "setup.py", "README.md", "LICENSE")
STAYS_HOME = {"ruff.toml"}  # settings of the tree, no part of the package
LEFTOVERS = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*_cache")

IMPORT_BUDGET_S = 0.3
TIMED_IMPORT = """
import sys, time
start = time.process_time()
import redrive
print(time.process_time() - start)
print(*sys.modules)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of what packaging reads, so that no build leaves its traces in the project."""
    copy = tmp_path / "tree"
    copy.mkdir()
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, symlinks=True, ignore=LEFTOVERS)
        else:
            shutil.copy(source, copy / name)
    return copy


def build_wheel(tree: Path, into: Path) -> subprocess.CompletedProcess[str]:
    """Build as a front end does, with the setuptools at hand, so that nothing is downloaded."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(into), str(tree)]
    return subprocess.run(command, cwd=into.parent, capture_output=True, text=True, check=False)


def files_of_the_package(tree: Path) -> set[str]:
    """List what lies under redrive/, through its links, room by room."""
    found = {path for path in (tree / "redrive").rglob("*") if path.is_file()}
    for room in ROOMS:
        found |= {tree / "redrive" / room / path.relative_to(tree / room) for path in (tree / room).rglob("*")}
    return {path.relative_to(tree).as_posix() for path in found if path.is_file() and path.name not in STAYS_HOME}


def test_the_wheel_holds_every_file_of_the_tree_and_nothing_else(tree: Path, tmp_path: Path) -> None:
    """A folder without __init__.py, or data nobody declared, would be left out without a word."""
    expected = files_of_the_package(tree)
    built = build_wheel(tree, tmp_path / "wheel")
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (tmp_path / "wheel").glob("redrive-*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == expected
    assert packed >= {"redrive/py.typed", *(f"redrive/{room}/__init__.py" for room in ROOMS)}


@pytest.mark.parametrize("room", ROOMS)
def test_a_clone_without_links_is_refused(tree: Path, tmp_path: Path, room: str) -> None:
    """Git without symbolic links writes a text file that holds the target of the link."""
    (tree / "redrive" / room).unlink()
    (tree / "redrive" / room).write_text(f"../{room}")
    built = build_wheel(tree, tmp_path / "wheel")
    assert built.returncode != 0
    assert f"redrive/{room} is not a directory" in built.stdout + built.stderr
    assert not list(tmp_path.rglob("*.whl"))


def test_a_tree_that_lost_its_links_is_refused(tree: Path, tmp_path: Path) -> None:
    """Some archive tools drop links altogether."""
    (tree / "redrive" / "domain").unlink()
    built = build_wheel(tree, tmp_path / "wheel")
    assert built.returncode != 0
    assert "redrive/domain is not a directory" in built.stdout + built.stderr


def import_in_a_fresh_process() -> tuple[float, set[str]]:
    """Return the processor seconds that `import redrive` takes and the modules it leaves loaded."""
    command = [sys.executable, "-c", TIMED_IMPORT]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, modules = finished.stdout.splitlines()
    return float(seconds), set(modules.split())


def test_importing_redrive_costs_little() -> None:
    """A host application pays for the import at every start; one of nine times forgives a busy machine."""
    import_in_a_fresh_process()  # compiles, which a user pays once
    assert any(import_in_a_fresh_process()[0] < IMPORT_BUDGET_S for _ in range(9))


def test_importing_redrive_loads_neither_database_tools_nor_the_command_line() -> None:
    """They are heavy, and needed only when an engine is opened or a command is run."""
    _, modules = import_in_a_fresh_process()
    assert not modules & {"sqlite_utils", "click"}


def test_type_checkers_are_told_of_every_public_name() -> None:
    """What they are not told of is Any to them, without a word: nothing that a host does with it is checked."""
    tree = ast.parse((ROOT / "redrive" / "__init__.py").read_text("utf-8"))
    blocks = [node.body for node in tree.body if isinstance(node, ast.If)]
    imports = [node for body in blocks for node in body if isinstance(node, ast.ImportFrom)]
    assert {name.asname: node.module for node in imports for name in node.names} == redrive._HOME
