"""Timed waits and approvals on the agenda: due when they are, wherever their run stands, and no worker's business."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from redrive.domain.flow import Flow, Node
from redrive.domain.stateful_wait import Approval, Wait
from redrive.ledger.agenda_rows import EXPIRIES, TIMED_WAITS
from redrive.processes import operations
from tests.ledger.world import World, policy, policy_of

BOTH = Flow(
    [
        Node("ask", approval=Approval("?", timeout_ms=70)),
        Node("later", approval=Approval("?", timeout_ms=90)),
        Node("never", approval=Approval("?")),
        Node("rest", wait=Wait(delay_ms=50)),
        Node("longer", wait=Wait(delay_ms=60)),
    ]
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A ledger; its agenda is what the log says at the end of every test."""
    world = World(tmp_path / "log.db")
    yield world
    world.check()
    world.ledger.close()


def rows(world: World) -> list[tuple[str, str, int | None]]:
    """The agenda, in short."""
    return [(row.kind, row.needs, row.due_ms) for row in world.ledger.agenda_rows()]


def test_a_run_has_a_row_for_its_first_wait_and_one_for_its_first_expiry(world: World) -> None:
    """However many nodes wait."""
    world.submit("k", BOTH)
    assert rows(world) == [
        ("timed_wait", TIMED_WAITS, world.now + 50),
        ("expiry", EXPIRIES, world.now + 70),
    ]


def test_a_run_that_only_waits_cannot_be_claimed(world: World) -> None:
    """By nobody, also when its time has come."""
    world.submit("k", Flow([Node("rest", wait=Wait(delay_ms=50)), Node("a", after=["rest"])]))
    world.now += 50
    assert world.claim(handlers=None) == world.claim(handlers={"a", "rest"}) == []


def test_an_idle_worker_waits_for_a_wait_and_for_no_expiry(world: World) -> None:
    """What is due when is another question: the ticker's."""
    world.submit("k", Flow([Node("ask", approval=Approval("?", timeout_ms=70))]))
    assert world.ledger.next_work_ms(None, None, None) is None
    assert world.ledger.next_timer_ms(None) == world.now + 70
    run = world.submit("l", Flow([Node("rest", wait=Wait(delay_ms=90))]))
    assert world.ledger.next_work_ms(None, {}, None) == world.ledger.next_work_ms(None, {}, run) == world.now + 90


@pytest.mark.parametrize("command", [operations.pausing, partial(operations.cancelling, policy_of=policy_of)])
def test_the_rows_stay_while_paused_and_go_with_a_cancel(world: World, command: object) -> None:
    """Approvals expire and waits end in every status but the final ones."""
    run = world.submit("k", BOTH)
    world.do(command(run))  # type: ignore[operator]
    assert len(rows(world)) == (2 if command is operations.pausing else 0)


def test_the_rows_stay_beside_those_of_a_queued_and_of_a_claimed_run(world: World) -> None:
    """A lease, a handler that can go on, and the timers of one run at a time."""
    nodes = (*BOTH.nodes.values(), Node("a", retry=policy()))
    world.submit("k", Flow(nodes))
    assert sorted(kind for kind, *_ in rows(world)) == ["expiry", "run", "timed_wait"]
    world.claim()
    assert sorted(kind for kind, *_ in rows(world)) == ["expiry", "lease", "timed_wait"]
