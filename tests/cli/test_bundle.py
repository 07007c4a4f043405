"""export, bundle verify, and a bundle in the place of a log."""

import json
from pathlib import Path

import pytest

import redrive
from redrive import VerifyResult
from tests.cli.effect_logs import EffectWorld
from tests.cli.logs import World
from tests.cli.test_schemas import FROZEN

LOOKING = (
    ["runs"],
    ["queues"],
    ["queues", "blocked"],
    ["dead-letters", "list"],
    ["dead-letters", "groups"],
    ["dead-letters", "show", "{letter}"],
    ["show", "{blocked}"],
    ["history", "{blocked}"],
    ["log", "show", "3"],
)


@pytest.fixture
def case(world: World) -> str:
    """All of the log, in a bundle."""
    result = world.run("export", "--range", f"1..{world.events()}", "-o", "case.tar")
    assert result.exit_code == 0, result.output
    return "bundle:case.tar"


def test_an_export_says_what_it_wrote(world: World) -> None:
    """Also as JSON; a run may be named by the beginning of its id."""
    result = world.run("export", "--run", world.ids.blocked[:8], "-o", "case.tar")
    assert (result.exit_code, Path("case.tar").exists()) == (0, True)
    assert "proven by a checkpoint of" in result.stdout
    item = world.json("export", "--run", world.ids.blocked, "-o", "case.tar", "--force")["item"]
    assert item["bytes"] == Path("case.tar").stat().st_size
    assert f"{item['sha256']}" in world.run("export", "--run", world.ids.blocked, "-o", "c2.tar").stdout


@pytest.mark.parametrize("command", LOOKING, ids=" ".join)
def test_a_bundle_is_looked_into_like_a_log(world: World, case: str, command: list[str]) -> None:
    """The same documents, as of the last event."""
    words = [word.format_map(vars(world.ids)) for word in command]
    expected = world.run("--json", *words)
    found = world.run("--json", "--db", case, *words)
    assert (found.exit_code, expected.exit_code) == (0, 0), found.output
    assert _timeless(found.stdout) == _timeless(expected.stdout)


def _timeless(text: str) -> list[object]:
    """The documents, without what depends on now."""
    return [_without(json.loads(line)) for line in text.splitlines()]


def _without(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without(item) for key, item in value.items() if key not in ("remaining_ms", "held_back")}
    return [_without(item) for item in value] if isinstance(value, list) else value


def test_effects_are_there_too(shop: EffectWorld) -> None:
    """With their compensations."""
    assert shop.run("export", "--range", f"1..{shop.events()}", "-o", "case.tar").exit_code == 0
    for words in (["effects", "list"], ["compensations", "list"]):
        expected = _timeless(shop.run("--json", *words).stdout)
        assert _timeless(shop.run("--json", "--db", "bundle:case.tar", *words).stdout) == expected


def test_nothing_can_be_done_in_it(world: World, case: str) -> None:
    """A sentence, no suggestion to act, and what the answer stands on."""
    result = world.run("--db", case, "cancel", world.ids.blocked, "--reason", "x")
    assert (result.exit_code, "evidence bundle" in result.stderr) == (5, True)
    looked = world.run("--db", case, "show", world.ids.blocked)
    assert "Next:" not in looked.stderr
    assert "From the evidence bundle case.tar" in looked.stderr


def test_verify_ends_with_the_result(world: World, case: str) -> None:
    """In words, as JSON with the published names, and as the exit code."""
    result = world.run("bundle", "verify", "case.tar")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (2, "RESULT       SELF-CONSISTENT")
    document = json.loads(world.run("--json", "bundle", "verify", "case.tar").stdout)
    assert set(FROZEN[document["schema"]]) <= set(document["item"])
    with redrive.open(world.url) as engine:
        last = engine.evidence.store.last()
    assert last is not None
    Path("pin").write_text(last.note)
    assert world.run("bundle", "verify", "case.tar", "--pin", "pin").exit_code == VerifyResult.VERIFIED.exit_code
    Path("case.tar").write_bytes(Path("case.tar").read_bytes()[:-1])
    assert world.run("bundle", "verify", "case.tar").exit_code == VerifyResult.TAMPERED.exit_code


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (["export", "-o", "x.tar"], 2),
        (["export", "--run", "nobody", "-o", "x.tar"], 4),
        (["export", "--range", "1..999999", "-o", "x.tar"], 2),
        (["export", "--range", "five", "-o", "x.tar"], 2),
        (["export", "--range", "1..5", "-o", "no/x.tar"], 5),
        (["export", "--since", "nothing", "-o", "x.tar"], 5),
        (["bundle", "verify", "nothing.tar"], 5),
        (["bundle", "verify", "ops.db", "--key", "a+b+c"], 64),
        (["bundle", "verify"], 64),
        (["bundle", "verify", "ops.db"], 1),
        (["--db", "bundle:ops.db", "runs"], 2),
        (["--db", "bundle:nothing.tar", "runs"], 5),
        (["--db", "bundle:", "runs"], 5),
    ],
)
def test_bad_input_gets_a_sentence(world: World, words: list[str], exit_code: int) -> None:
    """And leaves nothing behind."""
    result = world.run(*words)
    assert (result.exit_code, "Traceback" in result.output) == (exit_code, False), result.output
    assert not Path("x.tar").exists()
