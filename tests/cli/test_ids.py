"""Ids as people type them."""

import json
import uuid
from pathlib import Path

import pytest

import redrive
from redrive.cli.ids import shortener
from tests.cli.logs import CHAIN, THEIRS, World


@pytest.mark.parametrize("length", [6, 8, 36])
def test_a_prefix_names_what_begins_so(world: World, length: int) -> None:
    """Six characters are enough when nothing else begins with them; case and spaces do not matter."""
    typed = f" {world.ids.completed[:length].upper()} "
    assert world.json("show", typed)["item"]["run_id"] == world.ids.completed
    assert world.json("show", world.ids.letter[:length])["item"]["id"] == world.ids.letter


@pytest.mark.parametrize("typed", ["", "abc12", "     "])
def test_a_prefix_that_is_too_short_is_a_mistake(world: World, typed: str) -> None:
    """It would soon be ambiguous."""
    result = world.run("show", typed)
    assert result.exit_code == 2
    assert "at least its first 6 characters" in result.stderr


def ambiguous(path: Path) -> tuple[str, list[str]]:
    """A log with two runs whose ids begin with the same six characters, and that prefix."""
    seen: dict[str, str] = {}
    tenant = redrive.Tenant()
    from redrive.domain.identity import run_id_of

    for n in range(1_000_000):
        key = str(n)
        prefix = run_id_of(tenant, "nightly", key)[:6]
        if prefix in seen:
            break
        seen[prefix] = key
    with redrive.open(f"sqlite:///{path}") as engine:
        return prefix, [engine.local.submit(CHAIN, automation="nightly", key=k) for k in (seen[prefix], key)]


def test_an_ambiguous_prefix_names_the_candidates(world: World, tmp_path: Path) -> None:
    """And does nothing; a few characters more tell them apart, and tables show as many."""
    prefix, runs = ambiguous(tmp_path / "twins.db")
    result = World(f"sqlite:///{tmp_path / 'twins.db'}", world.ids).run("cancel", prefix, "--reason", "x", "--json")
    assert result.exit_code == 2
    error = json.loads(result.stderr)
    assert error["code"] == "ambiguous-id"
    assert all(run in error["message"] for run in runs)
    with redrive.open(f"sqlite:///{tmp_path / 'twins.db'}") as engine:
        short = shortener(engine.local, runs, whole=False)
        assert engine.local.counts().runs == {"queued": 2}
    assert len({short(run) for run in runs}) == 2


@pytest.mark.parametrize("command", ["show", "history", "cancel"])
def test_unknown_and_not_yours_look_the_same(world: World, command: str) -> None:
    """Nothing about another tenant can be learned from an answer."""
    reason = ["--reason", "x"] if command == "cancel" else []
    theirs = world.run(command, world.ids.theirs, *reason)
    unknown = str(uuid.uuid4())
    nobody = world.run(command, unknown, *reason)
    assert (theirs.exit_code, nobody.exit_code) == (4, 4)
    assert theirs.output.replace(world.ids.theirs, "ID") == nobody.output.replace(unknown, "ID")
    assert world.run("show", world.ids.theirs, tenant=str(THEIRS)).exit_code == 0


@pytest.mark.parametrize("typed", ["'; DROP TABLE runs; --", "\x1b[31mxxxxxx", "%%%%%%", "a" * 100_000, "ééééééé"])
def test_a_hostile_id_is_not_found(world: World, typed: str) -> None:
    """With one printable line."""
    result = world.run("show", typed)
    assert result.exit_code == 4
    assert result.stdout == ""
    assert len(result.stderr) < 300
    assert result.stderr.strip().isprintable()
