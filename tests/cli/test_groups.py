"""Groups of dead letters: what is offered next is what would not be refused."""

import shlex

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


def test_a_group_that_is_settled_offers_no_retry(shop: EffectWorld) -> None:
    """There is nothing to do again."""
    with redrive.open(shop.url) as engine:
        for letter in engine.local.dead_letters().items:
            engine.local.ignore(letter.id, actor="ana", reason="x")
    offered = shop.run("dead-letters", "groups").stderr
    assert "dead-letters list" in offered
    assert "retry" not in offered
