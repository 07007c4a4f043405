"""The cost of reading the agenda follows what is due, never what lies beside it."""

import itertools
import json
import sqlite3
from collections.abc import Callable
from typing import Any, cast

import pytest

from redrive.domain.identity import RunId
from redrive.ledger.agenda import Agenda
from redrive.ledger.agenda_rows import AgendaRow
from tests.ledger.world import LOCAL, World

pytestmark = pytest.mark.sqlite_only


def fill(world: World, others: int) -> None:
    """100 due things of every kind among *others* that are not."""
    agenda = Agenda(world.ledger.recorder.writer)
    world.ledger.recorder.writer.execute("BEGIN")
    for n in range(others + 300):
        kind = ("run", "lease", "dead_letter")[n % 3]
        due = n if n < 300 else world.now + n if n % 2 or kind == "run" else None
        needs = json.dumps(["a"]) if kind == "run" else ""
        agenda.put(AgendaRow(f"s{n}", kind, due, n, str(LOCAL), needs, f"s{n}"))
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
