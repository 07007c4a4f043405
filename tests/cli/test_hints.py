"""What commands offer next, and how they count."""

from pathlib import Path

import pytest

import redrive
from redrive.cli.counted import counted
from redrive.cli.dead_letters import KEYED_WIDTH, _group_row
from redrive.projections.models import DeadLetterGroup
from tests.cli.logs import World


def test_one_is_singular() -> None:
    """The noun fits its number; a thousand has a comma."""
    assert [counted(n, "retry", "retries") for n in (0, 1, 2)] == ["0 retries", "1 retry", "2 retries"]
    assert counted(1_000, "event") == "1,000 events"


def test_causes_are_offered_while_something_fails(world: World) -> None:
    """Not of a tenant, or an automation, that has no active dead letter."""
    assert "groups --active" in world.run("queues").stderr
    assert "groups --active" not in world.run("queues", "--automation", "patient").stderr
    assert "Next:" not in world.run("queues", tenant="a/b/c").stderr


@pytest.mark.parametrize("queue", ["blocked", "needs_review"])
def test_what_stands_still_leads_to_what_can_be_done(world: World, queue: str) -> None:
    """Also of a run that was cancelled while a dead letter of it waits: the dead letter still needs a decision."""
    assert world.run("cancel", world.ids.blocked, "--reason", "x").exit_code == 0
    offered = world.run("queues", queue).stderr
    first = world.json("queues", queue)["items"][0]["run_id"]
    assert f"resume-plan {first[:8]}" in offered
    assert f"resume-plan {first[:8]}" in world.run("show", first).stderr


def test_a_long_fingerprint_leaves_room_for_the_rest() -> None:
    """Those of encrypted reasons are keyed, and 70 characters long; in a pipe they are whole."""
    group = DeadLetterGroup.model_construct(
        fingerprint=f"keyed:{'ab' * 32}", unsettled=1, count=1, first_seen_ms=0, last_seen_ms=0, reason="r",
        failure_classes=(), automations=(),
    )  # fmt: skip
    assert len(str(_group_row(group, 0, whole=False)[0])) == KEYED_WIDTH
    assert _group_row(group, 0, whole=True)[0] == group.fingerprint


def test_a_key_that_came_late_is_told_how_to_sign(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is offered leads to a signature."""
    monkeypatch.setenv("HOME", str(Path.cwd()))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert world.run("seal").exit_code == 0
    assert world.run("keys", "init", "--name", "ana").exit_code == 0
    assert "anchor --pin FILE --reason WHY" in world.run("seal").stderr
    assert world.run("anchor", "--pin", "july.pin", "--reason", "signed from now on").exit_code == 0
    assert "— ana" in world.run("seal").stdout


def test_a_bundle_says_nothing_of_keys_that_nobody_has(world: World) -> None:
    """Encrypted payloads are shown as such; that is no error of the reader's."""
    tenant = redrive.Tenant("acme", "billing", "prod")
    with redrive.open("sqlite:///sealed.db", privacy=redrive.Privacy("keys.db")) as engine:
        run = engine.for_tenant(tenant).submit(redrive.Flow([redrive.Node("a")]), automation="x", input="xyzzy")
        engine.export("case.tar", run=run)
    shown = World("bundle:case.tar", world.ids).run("show", run, tenant=str(tenant))
    assert shown.exit_code == 0, shown.output
    assert "[encrypted]" in shown.stdout
    assert "unreadable" not in shown.output
