"""One committer: shared commits, isolated refusals, and what is said when a commit goes wrong."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from redrive.domain.errors import InvalidValue, KeyReused, NotAllowed, StorageError
from redrive.domain.event import Recorded
from redrive.domain.flow import Flow, Node
from redrive.domain.identity import SYSTEM, RunId
from redrive.domain.ports import Caller
from redrive.domain.run.events import NoteAdded
from redrive.ledger.transaction import LedgerTransaction
from redrive.processes import operations
from tests.ledger.conftest import Open
from tests.ledger.world import CHAIN, EVERYBODY, LOCAL, ONE, World, outcome_of, submission
from tests.processes.workshop import until

Command = Callable[[LedgerTransaction], Any]


def noting(run: RunId, text: str = "x") -> Command:
    """A command that adds a note."""
    return operations.noting_run(run, text)


def failing_after(command: Command, error: BaseException) -> Command:
    """*command*, and then *error*."""

    def fail(tx: LedgerTransaction) -> None:
        command(tx)
        raise error

    return fail


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Call *work* in *count* threads at once."""
    gate = threading.Barrier(count)

    def start(n: int) -> None:
        gate.wait()
        work(n)

    threads = [threading.Thread(target=start, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_share_commits_and_each_gets_its_own_result(world: World) -> None:
    """Those of 16 threads with 20 commands each that wait at the same time share one."""
    got: dict[tuple[int, int], RunId] = {}

    def work(n: int) -> None:
        for k in range(20):
            got[n, k] = world.submit(f"{n}-{k}")

    committer = world.ledger.committer
    with committer.under_lock():
        threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        until(lambda: len(committer._queue) == 16)
    for thread in threads:
        thread.join()
    assert committer.commits <= 1 + 16 * 19
    assert {key: world.in_memory(run).key for key, run in got.items()} == {(n, k): f"{n}-{k}" for n, k in got}
    world.check()


def test_one_refusal_harms_no_other(world: World) -> None:
    """A refusal, a bug and an event that cannot be stored, in the midst of a batch."""
    world.submit("taken", CHAIN)
    before = world.ledger.last_position()
    bug = ValueError("a bug")
    outcomes = world.together(
        submission("a"), submission("taken", ONE), failing_after(submission("b"), bug), submission("c")
    )
    assert isinstance(outcome_of(outcomes[1]), KeyReused)
    assert outcome_of(outcomes[2]) is bug
    assert [world.in_memory(outcomes[n].result()).key for n in (0, 3)] == ["a", "c"]
    assert {e.event.key for e in world.ledger.read(before) if e.topic == "run.submitted"} == {"a", "c"}  # type: ignore[union-attr]
    world.check()


def test_an_event_that_cannot_be_stored_harms_no_other(world: World) -> None:
    """A host that does not know UTF-8 got it past the boundary."""
    run = world.submit("a")
    odd = Caller(None, SYSTEM, "because \ud800")
    jobs = [(EVERYBODY, noting(run, "1")), (odd, noting(run, "2")), (EVERYBODY, noting(run, "3"))]
    outcomes = world.ledger.transact_together(jobs)
    assert isinstance(outcome_of(outcomes[1]), ValueError)
    notes = [e.event.text for e in world.log() if isinstance(e.event, NoteAdded)]
    assert notes == ["1", "3"]
    assert world.in_memory(run).version == world.ledger.stream(run)[-1].version


def test_a_command_that_raises_leaves_nothing(world: World) -> None:
    """It had appended to a run that was in memory, and begun another with a flow that was new."""
    run = world.submit("a")
    before = world.log()
    for command in (noting(run), submission("b", CHAIN)):
        with pytest.raises(ValueError, match="no"):
            world.do(failing_after(command, ValueError("no")))
    assert world.log() == before
    assert world.in_memory(run).version == before[-1].version
    world.submit("b", CHAIN)
    assert [e.topic for e in world.log()].count("flow.registered") == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_an_interrupt_within_a_command_leaves_nothing(world: World, error: BaseException) -> None:
    """Ctrl-C at the worst moment: the next command goes on, with states as the log has them."""
    run = world.submit("a")
    before = world.log()
    for command in (noting(run), submission("b", CHAIN)):
        with pytest.raises(type(error)):
            world.do(failing_after(command, error))
    assert world.log() == before
    world.note(run)
    world.submit("b", CHAIN)
    assert world.in_memory(run).version == 2
    assert [e.topic for e in world.log()].count("flow.registered") == 2
    world.check()


def test_an_interrupt_tells_those_who_shared_the_commit(world: World) -> None:
    """Nothing of theirs is durable; what was not begun is not run behind its caller's back."""
    run = world.submit("a")
    job = world.ledger.collect(lambda: world.do(noting(run)))
    stop = world.ledger.collect(lambda: world.do(failing_after(noting(run), KeyboardInterrupt())))
    rest = [world.ledger.collect(lambda: world.do(noting(run))) for _ in range(1_500)]
    with pytest.raises(KeyboardInterrupt):
        world.ledger.committer.commit_together([job, stop, *rest])
    assert isinstance(outcome_of(job), StorageError)
    world.note(run)
    assert world.in_memory(run).version == 2
    assert not rest[-1].done()


def test_commands_of_one_batch_see_each_other(world: World) -> None:
    """The same stream twice: the second decides on what the first wrote; a refused one between them is not seen."""
    run = world.submit("a")
    pause, resume, recover = operations.pausing(run), operations.resuming(run), operations.recovering(run, None)
    outcomes = world.together(pause, recover, failing_after(resume, ValueError()), resume, pause)
    assert [str(outcome_of(o)) for o in (outcomes[0], outcomes[3], outcomes[4])] == ["paused", "queued", "paused"]
    assert isinstance(outcome_of(outcomes[1]), NotAllowed)
    assert world.ledger.committer.commits == 2
    assert world.in_memory(run) == world.ledger.run_state(None, run)
    world.check()


def test_more_than_a_thousand_commands_take_several_commits(world: World) -> None:
    """All of them get their outcome, in order."""
    run = world.submit("a")
    before = world.ledger.committer.commits
    outcomes = world.together(*[noting(run, str(n)) for n in range(2_100)])
    assert all(outcome.done() for outcome in outcomes)
    assert world.ledger.committer.commits == before + 3
    assert [e.event.text for e in world.log() if isinstance(e.event, NoteAdded)] == [str(n) for n in range(2_100)]


def test_flows_of_one_batch_are_found_when_the_memory_of_flows_is_small(world: World) -> None:
    """A refused command makes its run be read again, from rows that are not yet committed."""
    flows = [Flow([Node(f"n{k}")]) for k in range(300)]
    again = failing_after(lambda tx: noting(submission("0", flows[0])(tx))(tx), ValueError())
    submissions = [submission(str(k), flow) for k, flow in enumerate(flows)]
    *runs, _, last = world.together(*submissions, again, submission("0", flows[0]))
    assert last.result() == runs[0].result()


def test_a_collected_command_has_no_result_before_its_batch(world: World) -> None:
    """``collect`` only queues; asking early is a mistake that says what to do."""
    pending = world.ledger.collect(lambda: world.submit("a"))
    assert not pending.done()
    with pytest.raises(RuntimeError, match="after its with block"):
        pending.result()
    assert world.log() == []
    world.ledger.committer.commit_together([pending])
    assert pending.done()
    assert world.in_memory(RunId(pending.result())).key == "a"


def test_collect_takes_exactly_one_command(world: World) -> None:
    """None, or two, would lose one."""
    for call in (lambda: None, lambda: (world.submit("a"), world.submit("b"))):
        with pytest.raises(InvalidValue):
            world.ledger.collect(call)
    assert world.log() == []


def test_a_storage_error_while_deciding_has_a_sentence(world: World) -> None:
    """Not sqlite3's own error: hosts catch StorageError."""

    def read(tx: LedgerTransaction) -> None:
        world.ledger.recorder.writer.execute("SELECT * FROM nowhere")

    with pytest.raises(StorageError, match=r": the database refused|: there is no log here"):
        world.do(read)


def test_a_closed_engine_refuses(world: World) -> None:
    """Commands, and those who waited while it was closed."""
    world.ledger.close()
    with pytest.raises(StorageError, match="the engine is closed"):
        world.submit("a")


def test_closing_while_commands_wait_tells_each_of_them(world: World) -> None:
    """Each either is durable, or knows that it is not."""
    told: list[object] = []

    def work(n: int) -> None:
        for k in range(30):
            if n == 0 and k == 10:
                world.ledger.close()
            try:
                told.append(world.submit(f"{n}-{k}"))
            except StorageError:
                told.append(None)

    in_threads(6, work)
    assert len(told) == 180
    other = World(world.path)
    assert other.ledger.last_position() == len([t for t in told if t]) + 2, "beside the runs: a flow and a policy"
    other.ledger.close()


def test_a_listener_that_fails_or_runs_a_command_harms_nobody(world: World) -> None:
    """It is told after the commit, best effort; a command of its own would wait for itself, and is refused."""
    told: list[int] = []
    asked: list[BaseException] = []

    def curious(events: Any) -> None:
        try:
            world.submit("from the listener")
        except RuntimeError as error:
            asked.append(error)
            raise

    world.ledger.subscribe(curious)
    leave = world.ledger.subscribe(lambda events: told.append(len(events)))
    world.submit("a")
    leave()
    world.submit("b")
    assert (told, len(asked)) == ([3], 2)


def test_a_command_within_a_command_is_refused(world: World) -> None:
    """It would wait for itself for ever."""
    with pytest.raises(RuntimeError, match="cannot run a command"):
        world.do(lambda tx: world.submit("a"))
    assert world.submit("a")


def test_listeners_hear_every_commit_in_log_order(world: World) -> None:
    """Also with many threads; a refused command is not heard of."""
    heard: list[Recorded] = []
    world.ledger.subscribe(heard.extend)
    in_threads(8, lambda n: world.together(*[submission(f"{n}-{k}") for k in range(10)]))
    with pytest.raises(KeyReused):
        world.submit("0-0", CHAIN)
    assert [e.position for e in heard] == [e.position for e in world.log()]
    assert [e.event_id for e in heard] == [e.event_id for e in world.log()]


def test_a_forked_child_is_told_to_open_the_log_itself(world: World) -> None:
    """Two processes on one connection would destroy the file."""
    world.submit("a")
    child = os.fork()
    if child == 0:
        refused = 0
        for call in (lambda: world.submit("b"), world.ledger.last_position):
            try:
                call()
            except StorageError as error:
                refused += "fork" in str(error)
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    world.submit("b")
    world.check()


@pytest.mark.sqlite_only
@pytest.mark.parametrize("closed", [False, True])
def test_a_forked_child_does_not_open_what_its_parent_has_open(tmp_path: Path, closed: bool) -> None:
    """SQLite would count the parent's locks as the child's: once the parent closed the log, the child's commits were
    lost, and had been acknowledged. What is closed before the fork may be opened."""
    world = World(tmp_path / "log.db")
    world.submit("a")
    if closed:
        world.ledger.close()
    child = os.fork()
    if child == 0:
        ended = 3
        try:
            other = World(tmp_path / "log.db")
            other.submit("b")
            other.ledger.close()
            ended = 0
        except StorageError as error:
            ended = 1 if "forked" in str(error) else 2
        finally:
            os._exit(ended)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == (0 if closed else 1)
    again = World(tmp_path / "log.db") if closed else world
    assert sum(e.topic == "run.submitted" for e in again.log()) == 1 + closed
    again.submit("c")
    again.check()
    again.ledger.close()


def test_a_refused_command_does_not_use_up_memory(open_world: Open) -> None:
    """Reading many runs without writing keeps the bound of the cache, too."""
    world = open_world(cache_bytes=20_000)
    runs = [world.submit(str(n)) for n in range(50)]
    for run in runs:
        world.in_memory(run)
    assert len(world.ledger.committer.states._entries) < 30
    assert world.in_memory(runs[0]).tenant == LOCAL
