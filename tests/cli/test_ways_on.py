"""What commands offer to type next fits what they found, and can be typed."""

import pytest

import redrive
from redrive.cli.ids import OtherKind
from redrive.cli.output import Output, printable
from tests.cli.effect_logs import EffectWorld
from tests.cli.logs import ONCE, THEIRS, World


def limited(world: World, resource: str) -> str:
    """A run that waits for room at *resource*, which lets nobody in."""
    flow = redrive.Flow([redrive.Node("a", retry=ONCE, resource=resource)])
    with redrive.open(world.url) as engine:
        engine.set_limit(redrive.Limit("resource", resource, 0), actor="ana", reason="it is down")
        run = engine.local.submit(flow, automation="limited", key="1")
        while engine.local.claim(worker="w", start=True) is not None:
            pass
        return run


def test_a_first_letter_outside_runs_does_not_spoil_the_advice(shop: EffectWorld) -> None:
    """What was decided is decided: a bulk retry says how it went, and leads to what was refused, and to the rest."""
    ids = shop.effects
    told = shop.run("dead-letters", "retry", ids.outside_letter, ids.declined_letter, "--reason", "x")
    assert told.exit_code == 3, told.output
    assert "retry: 1 done, 1 refused." in told.stdout
    assert f"show {ids.declined_letter[:8]}" in told.stderr
    assert f"show {ids.outside_letter[:8]}" in told.stderr


def test_what_is_refused_for_all_leads_to_the_first_of_them(shop: EffectWorld) -> None:
    """There the reason stands, with what can be done."""
    ids = shop.effects
    told = shop.run("dead-letters", "retry", ids.outside_letter, ids.doubtful_letter, "--reason", "x")
    assert told.exit_code == 3
    assert "how the first stands" not in told.stderr
    assert f"show {ids.outside_letter[:8]}" in told.stderr


def test_a_mixed_retry_offers_what_executes_something(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several flows, not only the first one is looked at."""
    seen: list[set[str]] = []

    def executing(_: object, names: set[str]) -> tuple[str, str]:
        seen.append(set(names))
        return "command", "purpose"

    monkeypatch.setattr("redrive.cli.next_steps.executing", executing)
    assert world.run("dead-letters", "retry", world.ids.letter, world.ids.left, "--reason", "x").exit_code == 0
    assert seen == [{"fetch", "publish", "left", "right"}]


@pytest.mark.parametrize(
    ("words", "kind"),
    [(("cancel", "letter", "--reason", "x"), "a dead letter"), (("dead-letters", "show", "blocked"), "a run")],
)
def test_an_id_of_another_kind_is_told_as_such(world: World, words: tuple[str, ...], kind: str) -> None:
    """And nothing is done; who looks for somebody else's learns nothing."""
    before = world.events()
    typed = [getattr(world.ids, word, word) for word in words]
    told = world.run(*typed)
    assert told.exit_code == 4
    assert f"was not found: it is the id of {kind}, which `redrive show" in told.stderr
    assert "it is the id" not in world.run(*typed, tenant=str(THEIRS)).stderr
    assert world.events() == before


def test_what_is_of_another_kind_has_the_code_of_what_is_not_found() -> None:
    """Programs need not tell them apart."""
    error = OtherKind("run", "a1b0a19c", "effect", "a1b0a19c-7330")
    assert error.code == "not-found"
    assert str(error) == "run 'a1b0a19c' was not found: it is the id of an effect, which `redrive show a1b0a19c` shows"


@pytest.mark.parametrize("resource", ["shop", "it's [red]\x1b[31m\u202e"])
def test_a_limit_that_lets_nobody_in_leads_to_more_room(world: World, resource: str) -> None:
    """From the queue to the limit, and from the limit to the command that sets it; hostile names stay text."""
    run = limited(world, resource)
    assert all(way in world.run("queues", "limited").stderr for way in ("limits list", f"show {run[:8]}"))
    assert printable(f"resource:{resource}") in world.run("queues", "limited").stdout
    told = world.run("limits", "list").stderr
    assert "limits set resource" in told
    assert "--concurrency N --reason WHY" in told
    assert told.replace("\n", "").isprintable()


def test_a_list_of_runs_leads_to_the_first_that_stands_still(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal; a pipe takes the rows alone."""
    assert "Next:" not in world.run("runs").output
    here = Output(json=False, terminal=True, width=80)
    monkeypatch.setattr(Output, "here", lambda json: here)
    told = world.run("runs", "--status", "blocked", "--status", "queued").output
    blocked = next(line.split()[0] for line in told.splitlines() if " blocked " in line)
    assert f"show {blocked[:8]}  # how the first that is blocked stands" in told
    assert told.index("runs.\n") < told.index("Next:")


def test_the_standing_of_an_effect_is_whole_on_a_narrow_terminal(
    shop: EffectWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to guess what ``unkno…`` is."""
    here = Output(json=False, terminal=True, width=80)
    monkeypatch.setattr(Output, "here", lambda json: here)
    told = shop.run("effects", "list").output
    assert all(word in told for word in (" unknown ", " failed ", " succeeded "))
    assert "TRIES" in told
