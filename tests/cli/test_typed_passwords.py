"""Commands to type next, where the log's URL has a password: they work, and do not show it."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import redrive
from redrive.cli.context import Session
from redrive.cli.typed import BY_VARIABLE, has_password
from tests.cli.databases import HELLO, ran

SECRET = "hunter2"
LETS_IN = f"postgresql://ana:{SECRET}@h/ops"
ARGUMENTS = [["--db", LETS_IN], [f"--db={LETS_IN}"], ["runs", "--db", LETS_IN]]


def lines(*typed: str, db: str = LETS_IN) -> tuple[str, str]:
    """A command to type next, and the one that goes on."""
    session = Session(typed)
    session.give("db", db)
    return session.command("runs"), session.again("c")


@pytest.mark.parametrize("typed", ARGUMENTS)
def test_a_password_is_left_to_a_variable(typed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are copied into tickets; without the variable they fail, and reach no other log."""
    monkeypatch.delenv("REDRIVE_DB", raising=False)
    monkeypatch.chdir(tmp_path)
    for line in lines(*typed):
        assert line.startswith(f"redrive --db {BY_VARIABLE} ")
        assert SECRET not in line
        assert line.count("--db") == 1


def test_a_log_that_is_set_needs_no_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the environment, or by redrive.toml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDRIVE_DB", LETS_IN)
    assert lines("--db", LETS_IN, "runs") == ("redrive runs", "redrive runs --cursor c")
    monkeypatch.delenv("REDRIVE_DB")
    (tmp_path / "redrive.toml").write_text(f'db = "{LETS_IN}"\n')
    assert lines("--db", LETS_IN, "runs") == ("redrive runs", "redrive runs --cursor c")


@pytest.mark.parametrize("db", [f"sqlite:///a.db, {LETS_IN}", f"{LETS_IN} sqlite:///a.db"])
def test_one_secret_among_several_logs_is_enough(db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beside it hides nothing."""
    monkeypatch.chdir(tmp_path)
    assert has_password(db)
    assert all(SECRET not in line and BY_VARIABLE in line for line in lines("--db", db, "runs", db=db))


def test_what_is_no_secret_is_repeated() -> None:
    """And quoted, where a shell would take it for something else."""
    command, again = lines("--db", "sqlite:///a b.db", "runs", db="sqlite:///a b.db")
    assert command == "redrive --db 'sqlite:///a b.db' runs"
    assert again == "redrive --db 'sqlite:///a b.db' runs --cursor c"


def test_what_is_offered_can_be_pasted(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a server that asks for no password, in a shell that has the variable."""
    monkeypatch.delenv("REDRIVE_DB", raising=False)
    url = f"{postgres}&schema=pasted&password={SECRET}"
    with redrive.open(url, views=str(tmp_path)):
        said = ran(url, "submit", HELLO).stderr
    assert "Next (with the log's URL in REDRIVE_DB" in said
    line = next(one for one in said.splitlines() if " show " in one).partition("  #")[0].strip()
    script = line.replace("redrive", f"{shlex.quote(sys.executable)} -m redrive", 1)
    done = subprocess.run(
        ["sh", "-c", script], env={**os.environ, "REDRIVE_DB": url}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, SECRET in said + done.stdout + done.stderr) == (0, False), done.stderr
