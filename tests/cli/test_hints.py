"""What commands offer next, and how they count."""

from pathlib import Path

import pytest

import redrive
from redrive.cli.counted import counted
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


def test_a_key_that_came_late_is_told_how_to_sign(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is offered leads to a signature."""
    monkeypatch.setenv("HOME", str(Path.cwd()))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert world.run("seal").exit_code == 0
    assert world.run("keys", "init", "--name", "ana").exit_code == 0
    assert "anchor --pin FILE --reason WHY" in world.run("seal").stderr
    assert world.run("anchor", "--pin", "july.pin", "--reason", "signed from now on").exit_code == 0
    assert "— ana" in world.run("seal").stdout


def test_a_bundle_says_nothing_of_keys_that_nobody_has(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encrypted payloads are shown as such; that is no error of the reader's."""
    tenant = redrive.Tenant("acme", "billing", "prod")
    with redrive.open("sqlite:///sealed.db", privacy=redrive.Privacy("keys.db")) as engine:
        run = engine.for_tenant(tenant).submit(redrive.Flow([redrive.Node("a")]), automation="x", input="xyzzy")
        engine.export("case.tar", run=run)
    shown = World("bundle:case.tar", world.ids).run("show", run, tenant=str(tenant))
    assert shown.exit_code == 0, shown.output
    assert "[encrypted]" in shown.stdout
    assert "unreadable" not in shown.output
