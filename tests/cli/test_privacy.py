"""``redrive privacy``: a key store is made, shown, and a key of it destroyed."""

import json
from pathlib import Path

import pytest

from tests.cli.logs import World
from tests.cli.test_schemas import FROZEN

WHY = ("--reason", "request 17", "--actor", "dpo")
FLOW = "automation: greet\nversion: 1\nnodes:\n  - id: hello\n    run: [echo, hello]\n"


@pytest.fixture
def keyed(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A log with a key store, and one run of ana's."""
    monkeypatch.setenv("REDRIVE_KEY_STORE", str(tmp_path / "keys.db"))
    assert world.run("privacy", "init").exit_code == 0
    (tmp_path / "flow.yaml").write_text(FLOW)
    submitted = world.run("submit", "flow.yaml", "--subject", "ana", "--input", '"xyzzy"')
    assert submitted.exit_code == 0, submitted.output
    return world


def test_a_key_store_is_made_and_shown(keyed: World) -> None:
    """Making it again changes nothing."""
    before = keyed.json("privacy", "show")["item"]
    assert (before["keys"], before["destroyed"], before["wrapped"]) == (1, 0, False)
    assert sorted(before) == FROZEN["redrive.privacy/1"]
    assert keyed.json("privacy", "init")["item"] == before
    assert "keys.db" in keyed.run("privacy", "show").stdout


def test_a_key_is_destroyed(keyed: World) -> None:
    """With what was closed; the payload is gone from what every command prints."""
    last = str(json.loads(keyed.run("--json", "log", "tail", "-n", "1").stdout)["position"])
    assert "xyzzy" in keyed.run("log", "show", last).stdout
    done = keyed.json("privacy", "destroy", "ana", *WHY)["item"]
    assert sorted(done) == FROZEN["redrive.key-destroyed/1"]
    assert (done["cancelled"], done["abandoned"]) == (1, 0)
    assert "[destroyed]" in keyed.run("log", "show", last).stdout


def test_it_says_what_to_do_about_copies(keyed: World) -> None:
    """Nobody else will."""
    assert "backups" in keyed.run("privacy", "destroy", "ana", *WHY).output


def test_destroying_needs_a_reason_and_a_subject_that_has_a_key(keyed: World) -> None:
    """Usage errors are 2; what is not there is 4; another tenant's subject looks the same."""
    assert keyed.run("privacy", "destroy", "ana").exit_code == 2
    assert keyed.run("privacy", "destroy", "nobody", *WHY).exit_code == 4
    assert keyed.run("privacy", "destroy", "ana", *WHY, tenant="acme/billing/prod").exit_code == 4
    assert keyed.json("privacy", "show")["item"]["destroyed"] == 0


def test_without_the_setting_it_says_which(world: World) -> None:
    """Also for a file that is not there."""
    result = world.run("privacy", "show")
    assert result.exit_code == 2
    assert "REDRIVE_KEY_STORE" in result.stderr


def test_a_query_makes_no_key_store(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only init and submit do."""
    monkeypatch.setenv("REDRIVE_KEY_STORE", str(tmp_path / "none.db"))
    result = world.run("runs")
    assert result.exit_code == 2
    assert "redrive privacy init" in result.stderr
    assert not (tmp_path / "none.db").exists()


def test_without_the_key_a_run_is_listed_and_nothing_is_done(keyed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An auditor sees names and states."""
    monkeypatch.delenv("REDRIVE_KEY_STORE")
    listed = json.loads(keyed.run("--json", "runs").stdout)["items"]
    run = next(one for one in listed if one["automation"] == "greet")
    assert "xyzzy" not in keyed.run("history", run["run_id"]).stdout
    result = keyed.run("cancel", run["run_id"], *WHY)
    assert (result.exit_code, "key store" in result.stderr) == (3, True)
