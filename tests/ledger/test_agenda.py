"""The agenda: what the log says, in the right order, for the right worker, at a cost that follows what is due."""

import itertools
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redrive.domain.errors import InvalidValue, NotFound, Refused
from redrive.domain.flow import Flow, Node
from redrive.domain.identity import DeadLetterId, RunId, Tenant
from redrive.ledger.agenda import Agenda, AgendaRow
from redrive.processes import leases, operations, reports
from redrive.processes.handout import Attempt, Claim
from tests.ledger.world import ACME, BROKEN, CHAIN, FINAL, LOCAL, ONE, World, policy, policy_of

WIDE = Flow(
    [
        Node("a", retry=policy(mode="dead_letter")),
        Node("b", retry=policy(1, mode="dead_letter"), handler="h"),
        Node("c", after=["a"], retry=policy(1, mode="pause_for_review")),
        Node("d", after=["c", "b"], retry=policy(mode="dead_letter", delay_ms=0)),
    ]
)
FLOWS = (ONE, CHAIN, WIDE)


class Chaos:
    """A world in which anything is tried at any time; what the rules refuse simply does not happen."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.world = World(path, durable=False)
        self.engines = itertools.count(2)
        self.engine = "0.1.0"
        self.runs: list[RunId] = []
        self.claims: list[Claim] = []
        self.attempts: list[Attempt] = []

    def letters(self) -> list[DeadLetterId]:
        """All dead letters."""
        return [DeadLetterId(e.stream) for e in self.world.log() if e.topic == "dead-letter.opened"]

    def submit(self, n: int) -> None:
        """Submit a run of one of the flows, or the same run again."""
        self.runs.append(self.world.submit(str(n % 7), FLOWS[n % 3]))

    def claim(self, n: int) -> None:
        """Claim what is due, for a worker that has some of the handlers."""
        handlers = (None, ("a", "b", "c"), ("h",), ())[n % 4]
        self.claims += self.world.claim(1 + n % 2, handlers, None if n % 3 else LOCAL)
        self.attempts += [a for claim in self.claims[-2:] for a in claim.attempts if a not in self.attempts]

    def start(self, n: int) -> None:
        """Start what became ready."""
        claim = self.claims[n % len(self.claims)]
        self.attempts += self.world.do(leases.starting_all(claim))

    def fail(self, n: int) -> None:
        """Report a failure of an attempt, perhaps an old one."""
        self.world.fail(self.attempts[-1 - n % len(self.attempts)], FINAL if n % 2 else BROKEN)

    def complete(self, n: int) -> None:
        """Report a success of an attempt, perhaps an old one."""
        self.world.complete(self.attempts[-1 - n % len(self.attempts)])

    def snooze(self, n: int) -> None:
        """Report that an attempt wants to be called later."""
        self.world.do(reports.snoozing(self.attempts[-1 - n % len(self.attempts)].id, n % 9))

    def heartbeat(self, n: int) -> None:
        """Renew a lease."""
        self.world.do(leases.renewing(self.claims[n % len(self.claims)], 6_000))

    def release(self, n: int) -> None:
        """Give a run back."""
        self.world.do(leases.releasing(self.claims[n % len(self.claims)], no_handler=bool(n % 2)))

    def reclaim(self, n: int) -> None:
        """Take a run from its holder once its lease has expired."""
        self.world.now += 6_000 * (n % 2)
        self.world.do(leases.reclaiming(self.runs[n % len(self.runs)], policy_of))

    def operate_run(self, n: int) -> None:
        """Pause, resume, recover, or cancel a run."""
        run = self.runs[n % len(self.runs)]
        commands: list[Any] = [operations.pausing, operations.resuming, operations.noting_run, operations.cancelling]
        chosen = commands[n % 4 if n % 16 == 3 else n % 3]
        self.world.do(chosen(run, "x") if chosen is operations.noting_run else chosen(run))

    def recover(self, n: int) -> None:
        """Requeue a run from all its failed nodes, or from one that is named."""
        run = self.runs[n % len(self.runs)]
        self.world.do(operations.recovering(run, ["a"] if n % 2 else None))

    def retry(self, n: int) -> None:
        """Ask for a retry of a dead letter, and for another one as well."""
        for letter in self.letters()[n % 3 :]:
            self.world.retry(letter)

    def operate_letter(self, n: int) -> None:
        """Ignore, abandon, resolve, reopen a dead letter, or grant it retries."""
        letters = self.letters()
        letter = letters[n % len(letters)]
        commands = [operations.ignoring, operations.abandoning, operations.resolving, operations.reopening]
        if n % 5 == 4:
            self.world.do(operations.granting_retries(letter, 1, None))
        else:
            self.world.do(commands[n % 5](letter, None))

    def sweep(self, n: int) -> None:
        """Sweep."""
        self.world.sweep(self.engine)

    def stick(self, n: int) -> None:
        """A dead letter that the sweep will hold."""
        letter = self.world.stuck_letter(f"stuck-{n}-{len(self.runs)}")
        self.runs.append(self.world.do(lambda tx: tx.dead_letter(letter)).run)

    def exhaust(self, n: int) -> None:
        """Dispatch, claim and fail until the budgets are spent."""
        for _ in range(1 + n % 4):
            self.world.sweep(self.engine)
            for claim in self.world.claim(9):
                for attempt in claim.attempts:
                    self.world.fail(attempt)
            self.world.now += 50

    def wait(self, n: int) -> None:
        """Time passes, or the clock goes back."""
        self.world.now += (n % 30) - 5

    def in_one_batch(self, n: int) -> None:
        """Several commands in one commit."""
        run = self.runs[n % len(self.runs)]
        commands: list[Any] = [operations.pausing(run), operations.resuming(run), operations.recovering(run, None)]
        claimant = leases.Claimant("w", lease_ms=5_000)
        claimed = self.world.together(*commands[n % 3 :], leases.claiming(claimant, 2, None), *commands)
        self.claims += claimed[-4].result()

    def restart(self, n: int) -> None:
        """Open the log again, perhaps with another version of the engine and a small cache."""
        now = self.world.now
        self.world.ledger.close()
        self.engine = f"0.{next(self.engines)}.0" if n % 2 else self.engine
        self.world = World(self.path, engine=self.engine, durable=False, cache_bytes=10_000 if n % 3 else 10**8)
        self.world.now = now


ACTIONS: list[Callable[[Chaos, int], None]] = [
    Chaos.submit, Chaos.claim, Chaos.claim, Chaos.claim, Chaos.start, Chaos.start, Chaos.fail, Chaos.fail, Chaos.fail,
    Chaos.complete, Chaos.complete, Chaos.snooze, Chaos.heartbeat, Chaos.release, Chaos.reclaim, Chaos.operate_run,
    Chaos.recover, Chaos.retry, Chaos.retry, Chaos.operate_letter, Chaos.sweep, Chaos.sweep, Chaos.wait, Chaos.wait,
    Chaos.in_one_batch, Chaos.restart, Chaos.stick, Chaos.exhaust,
]  # fmt: skip


@given(steps=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 10_000)), min_size=20, max_size=60))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
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


def test_a_run_that_needs_more_than_16_handlers_is_offered_to_everybody(world: World) -> None:
    """Who has none of them goes on to the next run."""
    many = [Node(f"n{k}") for k in range(17)]
    world.submit("17", Flow(many))
    world.submit("16", Flow(many[:16]))
    world.submit("one", ONE)
    assert {row.needs for row in world.ledger.agenda_rows()} >= {"*", '["a"]'}
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
    """Claims, dead letters, leases, and when the next thing is due."""
    world.submit("local", tenant=LOCAL)
    world.now += 1
    world.submit("acme", tenant=ACME)
    ledger = world.ledger
    assert (ledger.next_due_ms(LOCAL), ledger.next_due_ms(ACME)) == (1_000_000, 1_000_001)
    assert ledger.next_due_ms(Tenant("nobody")) is None
    assert keys(world, world.claim(5, tenant=ACME)) == ["acme"]
    assert [due.tenant for due in ledger.claims(ACME)] == [ACME]
    assert list(ledger.claims(LOCAL)) == []
    assert ledger.next_work_ms(ACME, None, None) is None
    assert ledger.next_work_ms(LOCAL, {"a"}, None) == 1_000_000


def test_dead_letters_are_due_by_run_and_tenant(world: World) -> None:
    """Only while their run can be requeued, and from the end of their backoff."""
    run, letter = world.dead_letter("a")
    assert list(world.ledger.due_dead_letters(None, (-1, -1), 9)) == []
    world.retry(letter)
    assert [due.subject for due in world.ledger.due_dead_letters(LOCAL, (-1, -1), 9)] == [letter]
    assert list(world.ledger.due_dead_letters(ACME, (-1, -1), 9)) == []
    world.do(operations.pausing(run))
    assert list(world.ledger.due_dead_letters(None, (-1, -1), 9)) == []
    world.do(operations.resuming(run))
    assert len(world.sweep().acted) == 1


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
    "next due": lambda agenda, now: agenda.next_due_ms(None),
    "next due, tenant": lambda agenda, now: agenda.next_due_ms(LOCAL),
    "next work": lambda agenda, now: agenda.next_work_ms(None, {"a"}),
    "next work, tenant": lambda agenda, now: agenda.next_work_ms(LOCAL, None),
    "due needs": lambda agenda, now: agenda.due_needs(None, now),
}


def steps_of(world: World, query: Callable[[Agenda, int], Any]) -> tuple[Any, int]:
    """The answer of a query, and how many steps SQLite's machine took for it."""
    connection, steps = world.ledger.recorder.reader(), itertools.count()
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
    connection, statements = filled[1_000].ledger.recorder.reader(), list[str]()
    connection.set_trace_callback(statements.append)
    QUERIES[name](Agenda(connection), filled[1_000].now)
    connection.set_trace_callback(None)
    plans = [row[3] for s in statements for row in connection.execute(f"EXPLAIN QUERY PLAN {s}")]
    assert plans
    assert [plan for plan in plans if plan.startswith("SCAN agenda")] == []
    if name != "dead letters of a run":  # a handful
        assert [plan for plan in plans if "TEMP B-TREE" in plan] == []
