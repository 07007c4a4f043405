"""Filters of dead letters: what they leave is what is decided about, never more."""

import json
from itertools import product
from pathlib import Path

import pytest

import redrive
from redrive.cli.letter_filters import given
from redrive.domain.failure import fingerprint_of
from tests.cli.logs import World

EPOCH = "1970-01-01T00:00Z"


@pytest.mark.parametrize("option", ["--until", "--since"])
def test_the_first_moment_is_a_time_too(world: World, option: str) -> None:
    """Nothing failed before 1970: nothing is ignored, and not all of it."""
    before = world.json("dead-letters", "list", "--status", "open")["items"]
    result = world.json("dead-letters", "ignore", "--all", option, EPOCH, "--reason", "old")
    assert len(result["items"]) == (0 if option == "--until" else len(before))


def test_what_was_not_given_is_no_filter() -> None:
    """None, no word at all, and a flag that is not set; a zero and an empty text were given."""
    said = {"run": None, "status": (), "active_only": False, "until_ms": 0, "text": ""}
    assert given(said) == {"until_ms": 0, "text": ""}


@pytest.fixture(name="twins", scope="module")
def _twins() -> tuple[redrive.Failure, redrive.Failure]:
    """Two failures whose fingerprints begin with the same six characters."""
    seen: dict[str, redrive.Failure] = {}
    for letters in product("ghijklmnop", repeat=6):
        failure = redrive.Failure("execution_error", "".join(letters))
        other = seen.setdefault(fingerprint_of(failure)[:6], failure)
        if other is not failure:
            return other, failure
    raise AssertionError


@pytest.fixture(name="alike")
def _alike(world: World, tmp_path: Path, twins: tuple[redrive.Failure, redrive.Failure]) -> World:
    """A log with a dead letter of each."""
    url = f"sqlite:///{tmp_path / 'twins.db'}"
    flow = redrive.Flow([redrive.Node("a", retry=redrive.RetryPolicy(max_attempts=1))])
    with redrive.open(url) as engine:
        for failure in twins:
            engine.local.submit(flow, automation="nightly")
            claim = engine.local.claim(worker="w", start=True)
            assert claim is not None
            engine.local.fail_attempt(claim.attempts[0], failure)
    return World(url, world.ids)


def test_the_beginning_of_a_fingerprint_names_it(alike: World, twins: tuple[redrive.Failure, redrive.Failure]) -> None:
    """As of ids; case does not matter. For decisions too: only what was named is decided about."""
    first = fingerprint_of(twins[0])
    for typed in (first, first[:15], f" {first[:15].upper()} "):
        (found,) = alike.json("dead-letters", "list", "--fingerprint", typed)["items"]
        assert found["fingerprint"] == first
    done = alike.json("dead-letters", "ignore", "--all", "--fingerprint", first[:15], "--reason", "x")["items"]
    assert len(done) == 1
    assert alike.json("dead-letters", "list", "--fingerprint", "ffffffff")["items"] == []


def test_an_ambiguous_fingerprint_names_the_candidates(
    alike: World, twins: tuple[redrive.Failure, redrive.Failure]
) -> None:
    """Nothing is decided; a few characters are too few, whatever they name."""
    before, both = alike.events(), [fingerprint_of(failure) for failure in twins]
    decide = ("dead-letters", "ignore", "--all", "--reason", "x", "--json", "--fingerprint")
    result = alike.run(*decide, both[0][:6])
    assert result.exit_code == 2
    error = json.loads(result.stderr)
    assert error["code"] == "ambiguous-id"
    assert all(fingerprint in error["message"] for fingerprint in both)
    short = alike.run(*decide, both[0][:5])
    assert (short.exit_code, "at least its first 6 characters" in short.stderr) == (2, True)
    assert alike.events() == before
