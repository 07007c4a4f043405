"""``redrive simulate``, as a user types it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from redrive.cli.root import cli
from redrive.faults.kinds import ON_SERVERS, Kind
from redrive.faults.summary import Summary, command_of
from tests.faults.mutants import agenda_forgotten


def run(*words: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(cli, ["simulate", *words])


def document(*words: str) -> Any:
    """What it prints as JSON."""
    return json.loads(run(*words, "--json").stdout)


def test_a_sound_seed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 0, figures, and not a file where the user stands."""
    monkeypatch.chdir(tmp_path)
    result = run("--seed", "3", "--runs", "2", "--steps", "40")
    assert result.exit_code == 0, result.output
    assert "seeds        3 to 4" in result.stdout
    assert "losses       0" in result.stdout
    assert result.stdout.splitlines()[-1] == "RESULT: ALL HELD."
    assert list(tmp_path.iterdir()) == []


def test_a_seed_that_fails_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, the problem, the faults, the last steps, and the command."""
    agenda_forgotten(monkeypatch)
    result = run("--seed", "5", "--steps", "30", "--faults", "locked,kill-idle")
    assert result.exit_code == 1
    for told in ("agenda_as_logged: the agenda differs", "faults: ", "the last steps:", "p0 "):
        assert told in result.stdout
    assert "again: redrive simulate --seed 5 --steps 30 --faults locked,kill-idle" in result.stdout
    assert "RESULT: BROKEN. 1 of 1 simulations: seeds 5." in result.stdout


def test_programs_get_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a document, of a sound seed and of one that fails."""
    sound = document("--steps", "30")["item"]
    assert (sound["runs"], sound["losses"], sound["failed_seeds"]) == (1, 0, [])
    agenda_forgotten(monkeypatch)
    broken = document("--steps", "30")
    assert broken["schema"] == "redrive.simulation/1"
    (failed,) = broken["item"]["failed_seeds"]
    assert set(failed) == {"seed", "problems", "faults", "trace", "command"}


@pytest.mark.parametrize(
    ("words", "injected"), [("none", set()), ("Lost_Answer , kill-idle", {"lost-answer", "kill-idle"})]
)
def test_only_the_faults_that_were_asked_for_strike(words: str, injected: set[str]) -> None:
    """Spelling is forgiven."""
    assert set(document("--runs", "3", "--faults", words)["item"]["faults"]) <= injected


@pytest.mark.parametrize("words", ["lockd", "all,locked", "", ",", "server-restart"])
def test_a_wrong_fault_is_refused(words: str) -> None:
    """With the names that there are."""
    result = run("--faults", words)
    assert result.exit_code == 2
    assert "lost-acknowledgement" in result.output


def test_on_a_server(postgres: str) -> None:
    """The same words, and what only servers do; what only files do is refused."""
    found = document("--runs", "2", "--steps", "30", "--server", postgres)["item"]
    assert (found["runs"], found["losses"], found["failed_seeds"]) == (2, 0, [])
    assert set(found["faults"]) <= set(ON_SERVERS)
    refused = run("--server", postgres, "--faults", "torn-commit")
    assert (refused.exit_code, "connection-lost" in refused.output) == (2, True)


@pytest.mark.parametrize(
    ("server", "code"), [("sqlite:///x.db", 2), ("nonsense", 2), ("postgresql://u:geheim@127.0.0.1:1/d", 5)]
)
def test_a_server_that_is_none(server: str, code: int) -> None:
    """It is said, without the password."""
    result = run("--server", server)
    assert result.exit_code == code, result.output
    assert "geheim" not in result.output


@pytest.mark.parametrize("words", [("--steps", "0"), ("--runs", "0"), ("--seed", "-1"), ("--seed", "x")])
def test_wrong_numbers_are_refused(words: tuple[str, str]) -> None:
    """By name."""
    result = run(*words)
    assert result.exit_code == 2
    assert words[0] in result.output


def test_the_command_that_repeats_names_what_is_not_default() -> None:
    """All faults need not be listed; none has a word."""
    assert command_of(7, 60) == "redrive simulate --seed 7 --steps 60"
    assert command_of(7, 60, [Kind.LOCKED]).endswith("--faults locked")
    assert command_of(7, 60, []).endswith("--faults none")
    assert command_of(7, 60, ON_SERVERS, "postgresql://a:b@c/d").endswith(
        "--steps 60 --server 'postgresql://a:[redacted]@c/d'"
    )


def test_a_summary_counts_promises_that_are_not_kept() -> None:
    """Losses are counted apart from all else that may not hold."""
    assert Summary(first_seed=0, steps=1).losses == 0
