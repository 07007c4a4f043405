"""Several logs on the command line."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from redrive.cli.root import cli
from redrive.ledger.urls import urls_in
from redrive.settings import Settings

A, B = "sqlite:///a.db", "sqlite:///b.db"
HELLO = Path(__file__).resolve().parents[2] / "examples" / "hello.yaml"


def run(*words: str, **environment: str) -> Result:
    """A command."""
    return CliRunner().invoke(cli, list(words), env=environment)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder."""
    monkeypatch.delenv("REDRIVE_DB", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        (A, (A,)),
        (f"{A},{B}", (A, B)),
        (f" {A} ,\n {B} ", (A, B)),
        (f"{A} postgresql://u:p@h/d?x=1,2", (A, "postgresql://u:p@h/d?x=1,2")),
        ("sqlite:///my files, old and new.db", ("sqlite:///my files, old and new.db",)),
        ("sqlite:///C:/logs/a b.db", ("sqlite:///C:/logs/a b.db",)),
        ("bundle:a.bundle", ("bundle:a.bundle",)),
        ("", ("",)),
    ],
)
def test_several_urls_in_one_text(text: str, urls: tuple[str, ...]) -> None:
    """A comma or a blank ends a URL only where another one begins."""
    assert urls_in(text) == urls


def test_however_they_are_given_they_are_the_same(tmp_path: Path) -> None:
    """In one text, in the environment, as a list in the file."""
    assert Settings.load(db=(A, B)).urls == Settings.load(db=f"{A} {B}").urls == (A, B)
    (tmp_path / "redrive.toml").write_text(f'db = ["{A}", "{B}"]\n')
    assert Settings.load().urls == (A, B)
    (tmp_path / "redrive.toml").write_text("db = 3\n")
    with pytest.raises(ValueError, match=r"^setting db: "):
        Settings.load()


def test_a_tenants_commands_find_its_log() -> None:
    """Submitted, executed, listed; the command to type next repeats every URL."""
    both = ("--db", f"{A} {B}")
    submitted = run(*both, "submit", str(HELLO), "--key", "k")
    assert submitted.exit_code == 0
    assert f"--db '{A} {B}' work" in submitted.stderr
    assert run("work", "--allow-commands", "--until-idle", *both).exit_code == 0
    assert "completed" in run("runs", REDRIVE_DB=f"{A}, {B}").stdout
    assert run(*both, "tick").exit_code == 0


def test_what_concerns_one_log_needs_one_url() -> None:
    """Refused by its name; with one of the URLs it is answered."""
    both = ("--db", f"{A} {B}")
    assert run(*both, "submit", str(HELLO), "--key", "k").exit_code == 0
    refused = run(*both, "verify")
    assert (refused.exit_code, refused.stdout) == (64, "")
    assert "`redrive verify` concerns one log, and 2 are open: name one with --db URL" in refused.stderr
    assert "one-shard-only" in run(*both, "verify", "--json").stderr
    assert run("--db", A, "replay", "--check").exit_code == 0


def test_a_missing_log_is_named() -> None:
    """Not created by a query, and not done without."""
    assert run("--db", f"{A},{B}", "runs").exit_code == 4
    assert run("--db", f"{A},{B}", "submit", str(HELLO)).exit_code == 0
    alone = run("--db", f"{A},sqlite:///c.db", "submit", str(HELLO))
    assert (alone.exit_code, "shares its tenants with 1 more" in alone.stderr) == (5, True)


@pytest.mark.parametrize("words", ["limits list", "limits set total --concurrency 1 --reason x", "runs --at pos:1"])
def test_a_command_that_concerns_one_log_is_named_in_full(words: str) -> None:
    """With the group it belongs to, or the option that makes it one of them."""
    both = ("--db", f"{A} {B}")
    assert run(*both, "submit", str(HELLO)).exit_code == 0
    named = " ".join(words.split()[:2])
    refused = run(*both, *words.split())
    assert (refused.exit_code, f"`redrive {named}` concerns one log" in refused.stderr) == (3, True), refused.stderr


def test_a_batch_of_a_worker_is_refused_for_several_logs() -> None:
    """By what it is, and nothing is claimed."""
    both = ("--db", f"{A} {B}")
    assert run(*both, "submit", str(HELLO)).exit_code == 0
    refused = run(*both, "work", "--allow-commands", "--until-idle", "--batch", "100")
    assert (refused.exit_code, "a worker of each log" in refused.stderr) == (2, True)
    assert "queued" in run(*both, "runs").stdout
