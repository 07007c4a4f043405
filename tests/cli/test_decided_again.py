"""``redrive replay --check`` and ``redrive what-if``, as a user types them."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from redrive.domain.retry_policy import Backoff
from tests.cli.logs import World

FEWER = '{"version": 1, "default": {"retry": {"max_attempts": 1}}}'


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """A policy file with fewer attempts."""
    file = tmp_path / "fewer.json"
    file.write_text(FEWER)
    return str(file)


def test_a_sound_log_is_the_same(world: World) -> None:
    """Exit code 0, and what it stands on as the last line."""
    result = world.run("replay", "--check")
    assert result.exit_code == 0, result.output
    assert "RESULT: SAME" in result.stdout
    assert result.output.splitlines()[-1].startswith("log ")


def test_drift_is_told_with_its_inputs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1; position, rule, both values."""
    monkeypatch.setattr(Backoff, "delay_ms", lambda _self, number: 77_777)
    result = world.run("replay", "--check")
    assert result.exit_code == 1
    assert "recomputed 77777" in result.stdout
    assert "input draw" in result.stdout
    assert "RESULT: DIFFERENT" in result.stdout


def test_the_check_as_json(world: World) -> None:
    """One document with its footing."""
    document = world.json("replay", "--check")
    assert document["schema"] == "redrive.replay-check/1"
    assert document["item"]["first"] is None
    assert document["footing"]["position"] == document["item"]["to_position"]
    assert document["footing"] == document["item"]["footing"]


def test_a_what_if_says_first_what_it_is(world: World, policy: str) -> None:
    """The first word of the text, the first key of the JSON."""
    result = world.run("what-if", "--policy", policy)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("COUNTERFACTUAL")
    told = json.loads(world.run("--json", "what-if", "--policy", policy).stdout)
    assert next(iter(told)) == "COUNTERFACTUAL"
    assert told["schema"] == "redrive.what-if/1"
    assert told["footing"] == told["item"]["footing"]


def test_a_retry_at_another_time_is_told_as_a_time(world: World, tmp_path: Path) -> None:
    """Nobody reads milliseconds since 1970."""
    (tmp_path / "later.json").write_text('{"version": 1, "default": {"retry": {"backoff": {"initial_delay_ms": 7}}}}')
    told = world.run("what-if", "--policy", str(tmp_path / "later.json")).stdout
    assert re.search(r"next_retry_at_ms \d{4}-\d\d-\d\d [\d:.]+Z instead of \d{4}-", told)


def test_the_picture_is_the_same_every_time(world: World, policy: str, tmp_path: Path) -> None:
    """Sound XML, in light and dark, without anything from outside."""
    drawn = []
    for name in ("one.svg", "two.svg"):
        assert world.run("what-if", "--policy", policy, "--svg", str(tmp_path / name)).exit_code == 0
        drawn.append((tmp_path / name).read_text())
    assert drawn[0] == drawn[1]
    root = ET.fromstring(drawn[0])
    assert next(root.iter("{http://www.w3.org/2000/svg}title")).text.startswith("COUNTERFACTUAL")  # type: ignore[union-attr]
    assert "prefers-color-scheme: dark" in drawn[0]
    assert "href" not in drawn[0]


@pytest.mark.parametrize(
    "words",
    [
        ["what-if"],
        ["what-if", "--policy", "none.yaml"],
        ["what-if", "--drop", "no"],
        ["replay", "--check", "--to", "x"],
    ],
    ids=" ".join,
)
def test_bad_input_is_a_sentence(world: World, words: list[str]) -> None:
    """Exit code 2, no traceback."""
    result = world.run(*words)
    assert result.exit_code == 2
    assert "expected" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("words", [("replay", "--check"), ("what-if",), ("first", "SELECT 1 WHERE 0")])
def test_an_answer_about_every_tenant_says_so(world: World, policy: str, words: tuple[str, ...]) -> None:
    """Whoever names a tenant must not take it for that tenant's alone; JSON stays JSON."""
    asked = (*words, "--policy", policy) if words == ("what-if",) else words
    named = world.run(*asked, "--tenant", "acme/billing/prod")
    assert "Of every tenant: --tenant does not narrow this answer." in named.output
    assert named.output.splitlines()[-1].startswith("log ")
    assert "Of every tenant" not in world.run(*asked).output
    assert "Of every tenant" not in world.run(*asked, "--tenant", "acme/billing/prod", "--json").output
