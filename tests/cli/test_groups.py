"""Groups of dead letters: what is offered next is what would not be refused."""

import shlex
import time

import redrive
from tests.cli.effect_logs import EffectWorld
from tests.cli.logs import World

WHY = ("--reason", "asked the bank", "--actor", "ana")


def test_a_group_that_can_be_retried_says_so(world: World) -> None:
    """As typed it is accepted."""
    offered = world.run("dead-letters", "groups", "--active").stderr
    line = next(one for one in offered.splitlines() if "dead-letters retry --all" in one)
    words = shlex.split(line.partition("  #")[0].strip())
    assert world.run(*words[3:]).exit_code == 0


def test_a_group_in_doubt_is_to_be_reconciled(shop: EffectWorld) -> None:
    """A retry of effects whose outcome is unknown would be refused; what is offered is accepted."""
    offered = shop.run("dead-letters", "groups", "--class", "outcome-unknown").stderr
    assert "dead-letters retry" not in offered
    line = next(one for one in offered.splitlines() if " reconcile " in one)
    words = shlex.split(line.partition("  #")[0].replace("OUTCOME", "did-not-happen").strip())
    assert shop.run(*words[3:]).exit_code == 0


def test_a_group_that_was_reconciled_can_be_retried(shop: EffectWorld) -> None:
    """Once it is known that nothing happened."""
    for effect in (shop.effects.doubtful, shop.effects.outside):
        assert shop.run("reconcile", effect, "--outcome", "did-not-happen", *WHY).exit_code == 0
    offered = shop.run("dead-letters", "groups", "--class", "outcome-unknown").stderr
    assert "dead-letters retry --all" in offered
    assert " reconcile " not in offered


def test_a_group_that_is_parked_is_granted_as_a_group(world: World) -> None:
    """As typed it is accepted, for each of them."""
    parked(world)
    offered = world.run("dead-letters", "groups", "--status", "parked").stderr
    line = next(one for one in offered.splitlines() if "dead-letters grant --all" in one)
    words = shlex.split(line.partition("  #")[0].strip())
    granted = world.run(*words[3:])
    assert (granted.exit_code, "grant: 2 done, 0 refused." in granted.stdout) == (0, True)


def parked(world: World) -> None:
    """Two dead letters that failed alike have used their only dispatch."""
    world.run("dead-letters", "retry", "--all", "--automation", "pair", *WHY)
    now = [int(time.time() * 1_000)]
    once = redrive.RedrivePolicy(max_dispatches=1)
    with redrive.open(world.url, redrive_policy=once, clock=lambda: now[0]) as engine:
        while (claim := engine.local.claim(worker="w", start=True)) is not None:
            for attempt in claim.attempts:
                engine.local.fail_attempt(attempt, redrive.Failure("execution_error", "both"))
        now[0] += 60_000
        engine.sweep()


def test_a_group_that_is_settled_offers_no_retry(shop: EffectWorld) -> None:
    """There is nothing to do again."""
    with redrive.open(shop.url) as engine:
        for letter in engine.local.dead_letters().items:
            engine.local.ignore(letter.id, actor="ana", reason="x")
    offered = shop.run("dead-letters", "groups").stderr
    assert "dead-letters list" in offered
    assert "retry" not in offered
