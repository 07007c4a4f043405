"""The agenda: what the log says, in the right order, for the right worker, at a cost that follows what is due."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redrive.domain.errors import InvalidValue, NotFound, Refused
from redrive.domain.flow import Flow, Node
from redrive.domain.identity import Tenant
from redrive.ledger import agenda_rows
from redrive.processes import operations
from redrive.processes.handout import Claim
from tests.ledger.chaos import ACTIONS, FLOWS, WIDE, Chaos
from tests.ledger.world import ACME, BROKEN, LOCAL, ONE, World


@pytest.mark.slow
@given(steps=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 10_000)), min_size=20, max_size=60))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_agenda_is_what_the_log_says(steps: list[tuple[Callable[[Chaos, int], None], int]]) -> None:
    """After anything, whatever was refused; and memory is what the log says."""
    with tempfile.TemporaryDirectory() as folder:
        chaos = Chaos(Path(folder) / "log.db")
        for n in range(3):
            chaos.submit(n)
        for action, n in steps:
            with suppress(Refused, NotFound, InvalidValue, ZeroDivisionError):  # no claim, attempt or letter yet
                action(chaos, n)
            assert chaos.world.ledger.agenda_rows() == chaos.world.ledger.agenda_from_log(), action.__name__
        for run in set(chaos.runs):
            assert chaos.world.in_memory(run) == chaos.world.ledger.run_state(None, run)
        chaos.world.check()
        chaos.world.ledger.close()


def keys(world: World, claims: list[Claim]) -> list[str | None]:
    """The keys of claimed runs."""
    return [world.in_memory(claim.run_id).key for claim in claims]


def test_the_oldest_due_is_claimed_first(world: World) -> None:
    """By due time, then by the order in which they were submitted."""
    for key, at in (("c", 300), ("a", 100), ("d", 300), ("b", 200)):
        world.now = at
        world.submit(key)
    world.now = 300
    assert keys(world, world.claim(3)) == ["a", "b", "c"]
    assert keys(world, world.claim(3)) == ["d"]


def test_the_order_holds_across_tenants_and_handlers(world: World) -> None:
    """Groups of the agenda are merged."""
    for n in range(12):
        world.now = 1_000 - 10 * (n % 5)
        world.submit(str(n), FLOWS[n % 3], ACME if n % 2 else LOCAL)
    world.now = 2_000
    dues = world.do(lambda tx: tx.next_claimable({"a", "h"}, 100, None))
    assert [(due.due_ms, due.created) for due in dues] == sorted((due.due_ms, due.created) for due in dues)
    assert len(dues) == 12
    assert list(dues) == list(world.do(lambda tx: tx.next_claimable(None, 100, None)))


def test_what_is_not_due_is_not_claimed(world: World) -> None:
    """One millisecond before its time."""
    world.submit("a")
    world.fail(world.claim()[0].attempts[0], BROKEN)
    world.now += 4
    assert world.claim() == []
    world.now += 1
    assert len(world.claim()) == 1


def test_a_worker_is_offered_what_it_has_a_handler_for(world: World) -> None:
    """Any of the due nodes' handlers will do."""
    world.submit("wide", WIDE)
    world.submit("one", ONE)
    assert world.claim(5, handlers=()) == []
    assert world.claim(5, handlers=["c", "d", "nobody"]) == []
    assert keys(world, world.claim(5, handlers={"h"})) == ["wide"]
    assert keys(world, world.claim(5, handlers={"a": 1})) == ["one"]


def test_a_run_that_needs_many_handlers_is_offered_to_everybody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has none of them goes on to the next run."""
    monkeypatch.setattr(agenda_rows, "MOST_NEEDS", 16)
    many = [Node(f"n{k}") for k in range(17)]
    world.submit("17", Flow(many))
    world.submit("16", Flow(many[:16]))
    world.submit("one", ONE)
    assert {row.needs for row in world.ledger.agenda_rows()} >= {"", "a"}
    assert keys(world, world.claim(5, handlers={"a"})) == ["one"]
    assert keys(world, world.claim(1, handlers={"n16"})) == ["17"]
    assert keys(world, world.claim(1, handlers={"n15"})) == ["16"]


def test_runs_without_a_handler_here_do_not_hide_those_behind_them(world: World) -> None:
    """Many runs whose needs are not listed come first."""
    many = Flow([Node(f"n{k}") for k in range(17)])
    for n in range(150):
        world.submit(f"many-{n}", many)
    world.submit("one", ONE)
    assert keys(world, world.claim(1, handlers={"a"})) == ["one"]


def test_a_tenant_sees_only_its_own(world: World) -> None:
    """Claims, leases, and when the next work is due."""
    world.submit("local", tenant=LOCAL)
    world.now += 1
    world.submit("acme", tenant=ACME)
    ledger = world.ledger
    assert [ledger.next_work_ms(owner, None, None) for owner in (LOCAL, ACME)] == [1_000_000, 1_000_001]
    assert ledger.next_work_ms(Tenant("nobody"), None, None) is None
    assert keys(world, world.claim(5, tenant=ACME)) == ["acme"]
    assert [row.tenant for row in ledger.agenda_rows() if row.kind == "lease"] == [str(ACME)]
    assert ledger.next_work_ms(ACME, None, None) is None
    assert ledger.next_work_ms(LOCAL, {"a"}, None) == 1_000_000


def test_dead_letters_are_due_by_run_and_tenant(world: World) -> None:
    """Only while their run can be requeued, and from the end of their backoff."""
    run, letter = world.dead_letter("a")
    assert list(world.ledger.due("dead_letter", None, 9)) == []
    world.retry(letter)
    assert [due.subject for due in world.ledger.due("dead_letter", LOCAL, 9)] == [letter]
    assert list(world.ledger.due("dead_letter", ACME, 9)) == []
    world.do(operations.pausing(run))
    assert list(world.ledger.due("dead_letter", None, 9)) == []
    world.do(operations.resuming(run))
    assert len(world.sweep().acted) == 1
