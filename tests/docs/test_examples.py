"""Every example in the README and in docs/ runs, page by page, as a reader would do it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.docs.examples import ROOT, parsed

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ON_SERVER = "run-on-postgresql.md"
WITH_EXAMPLES = [page for page in PAGES if "_build" not in page.parts and list(parsed(page))]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder with the examples of the project in it, and a ``redrive`` to type."""
    command = tmp_path / "bin" / "redrive"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m redrive "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # commands put the working directory in front
    monkeypatch.setenv("LOGNAME", "ana")
    for name in [name for name in os.environ if name.startswith("REDRIVE_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def database(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The database and the role of the guide, on the server that libpq's variables name."""
    given = conninfo_to_dict(postgres)
    for name in ("host", "port", "user", "password"):
        if given.get(name):
            monkeypatch.setenv(f"PG{name.upper()}", str(given[name]))
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE redrive_ops")
        connection.execute("CREATE ROLE redrive_app")
        yield
        connection.execute("DROP DATABASE redrive_ops WITH (FORCE)")
        connection.execute("DROP ROLE redrive_app")


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_examples_of_a_page_run(page: Path, desk: Path, request: pytest.FixtureRequest) -> None:
    """In their order, in one folder, sharing their names: a page is read from its top."""
    assert desk.is_dir()
    if page.name == ON_SERVER:
        request.getfixturevalue("database")
    for example in parsed(page):
        example.evaluate()


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_an_example_program_runs(script: Path, desk: Path) -> None:
    """It ends by itself, without an error."""
    done = subprocess.run(
        [sys.executable, str(script)], cwd=desk, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
