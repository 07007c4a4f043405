"""The cost of reading the agenda follows what is due, never what lies beside it."""

import itertools
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from redrive.domain.identity import RunId
from redrive.ledger.agenda import Agenda
from redrive.ledger.agenda_rows import AgendaRow
from tests.ledger.world import LOCAL, World

pytestmark = pytest.mark.sqlite_only


def fill(world: World, others: int, due: int = 300) -> None:
    """*due* things, as many of every kind, among *others* that are not."""
    agenda = Agenda(world.ledger.recorder.writer)
    world.ledger.recorder.writer.execute("BEGIN")
    for n in range(others + due):
        kind = ("run", "lease", "dead_letter")[n % 3]
        at = n if n < due else world.now + n if n % 2 or kind == "run" else None
        needs = json.dumps(["a"]) if kind == "run" else ""
        agenda.put(AgendaRow(f"s{n}", kind, at, n, str(LOCAL), needs, f"s{n}"))
    world.ledger.recorder.writer.execute("COMMIT")


QUERIES: dict[str, Callable[[Agenda, int], Any]] = {
    "claim, all": lambda agenda, now: agenda.claimable(None, None, now, 100),
    "claim, tenant": lambda agenda, now: agenda.claimable(LOCAL, None, now, 100),
    "claim, handlers": lambda agenda, now: agenda.claimable(LOCAL, {"a", "b"}, now, 100),
    "claim, any tenant, handlers": lambda agenda, now: agenda.claimable(None, {"a"}, now, 100),
    "claim, one run": lambda agenda, now: agenda.claimable_run(RunId("s3"), now),
    "next of a run": lambda agenda, now: agenda.next_of_run(RunId("s3")),
    "expired claims": lambda agenda, now: agenda.due("lease", None, now, 200),
    "due dead letters": lambda agenda, now: agenda.due("dead_letter", None, now, 200, (10, 10)),
    "due dead letters, tenant": lambda agenda, now: agenda.due("dead_letter", LOCAL, now, 200),
    "dead letters of a run": lambda agenda, now: agenda.dead_letters(RunId("s2"), now),
    "live claims": lambda agenda, now: agenda.claimed([RunId("s1"), RunId("s2")]),
    "next work": lambda agenda, now: agenda.next_work_ms(None, {"a"}),
    "next work, tenant": lambda agenda, now: agenda.next_work_ms(LOCAL, None),
    "due needs": lambda agenda, now: agenda.due_needs(None, now),
}


def sqlite_reader(world: World) -> sqlite3.Connection:
    """The connection with which the log is read."""
    return cast(sqlite3.Connection, world.ledger.recorder.reader())


def steps_of(world: World, query: Callable[[Agenda, int], Any]) -> tuple[Any, int]:
    """The answer of a query, and how many steps SQLite's machine took for it."""
    connection, steps = sqlite_reader(world), itertools.count()
    connection.set_progress_handler(lambda: next(steps) and 0, 1)
    answer = query(Agenda(connection), world.now)
    connection.set_progress_handler(None, 1)
    return answer, next(steps)


@pytest.fixture(scope="module", name="filled")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> dict[int, World]:
    worlds = {}
    for others in (1_000, 20_000):
        worlds[others] = World(tmp_path_factory.mktemp("filled") / "log.db", durable=False)
        fill(worlds[others], others)
    return worlds


@pytest.mark.parametrize("name", QUERIES)
def test_cost_follows_what_is_due(filled: dict[int, World], name: str) -> None:
    """100 due among 1,000 others and among 20,000: the same answer by the same number of steps."""
    few, many = (steps_of(world, QUERIES[name]) for world in filled.values())
    assert few == many
    assert few[1] > 0


OF_A_RUN: dict[str, Callable[[Agenda, int, int], int]] = {
    "claim": lambda agenda, now, last: len(agenda.claimable_run(RunId(f"s{last - 2}"), now)),
    "claimed": lambda agenda, _now, last: len(agenda.claimed([RunId(f"s{last - 1}")])),
    "dead letters": lambda agenda, now, last: len(agenda.dead_letters(RunId(f"s{last}"), now)),
}


@pytest.mark.parametrize("name", OF_A_RUN)
def test_what_concerns_a_run_costs_the_same_however_much_is_due(name: str, tmp_path: Path) -> None:
    """A sweep of 100,000 due dead letters went through all of them for each run that it dispatched."""
    steps = []
    for due in (300, 6_000):
        world = World(tmp_path / f"{due}.db", durable=False)
        fill(world, 0, due)
        steps.append(steps_of(world, lambda agenda, now: OF_A_RUN[name](agenda, now, due - 1)))  # noqa: B023
        world.ledger.close()
    assert steps[0] == steps[1]
    assert steps[0][0] == 1


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_scans_the_agenda(filled: dict[int, World], name: str) -> None:
    """Nor sorts what it finds: the plan of every statement that is really executed says so."""
    connection, statements = sqlite_reader(filled[1_000]), list[str]()
    connection.set_trace_callback(statements.append)
    QUERIES[name](Agenda(connection), filled[1_000].now)
    connection.set_trace_callback(None)
    plans = [row[3] for s in statements for row in connection.execute(f"EXPLAIN QUERY PLAN {s}")]
    assert plans
    assert [plan for plan in plans if plan.startswith("SCAN agenda")] == []
    if name != "dead letters of a run":  # a handful
        assert [plan for plan in plans if "TEMP B-TREE" in plan] == []
