"""What readers with fresh eyes broke once: each stays mended."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import redrive
from redrive import Failure, Flow, InvalidFlow, InvalidValue, Node, RetryPolicy, RunId, Tenant, Worker
from redrive.domain.ports import Caller
from redrive.ledger.transaction import LedgerTransaction
from redrive.processes.held import Held
from redrive.processes.intake import submission
from tests.stores import in_postgres, log_url, outside

NOW = 1_000_000


@pytest.fixture
def engine(tmp_path: Path) -> redrive.Engine:
    """A log of its own, with a clock that stands still."""
    return redrive.open(log_url(tmp_path / "log.db"), clock=lambda: NOW, dice=lambda: 0.0)


def backoff(delay_ms: int) -> RetryPolicy:
    """Many attempts with a fixed delay."""
    document: redrive.JsonValue = {"max_attempts": 5, "backoff": {"strategy": "fixed", "initial_delay_ms": delay_ms}}
    return RetryPolicy.from_document(document)


def test_a_node_whose_backoff_ended_is_claimable_although_another_waits_for_a_worker(tmp_path: Path) -> None:
    """Handlers are asked one by one: b has no worker, a must not wait for it."""
    now = [NOW]
    with redrive.open(log_url(tmp_path / "log.db"), clock=lambda: now[0]) as engine:
        acme = engine.local
        acme.submit(Flow([Node("a", retry=backoff(50)), Node("b")]), automation="x")
        claim = acme.claim(worker="w", handlers={"a"}, start=False)
        assert claim is not None
        acme.fail_attempt(acme.start_attempt(claim, "a"), Failure("execution_error"))
        acme.release(claim)
        assert acme.claim(worker="w", handlers={"a"}) is None
        now[0] += 50
        again = acme.claim(worker="w", handlers={"a"}, start=True)
        assert again is not None
        assert [(attempt.node, attempt.number) for attempt in again.attempts] == [("a", 2)]


def test_a_handler_that_cannot_be_had_fails_its_attempt_and_nothing_else(engine: redrive.Engine) -> None:
    """A broken import is that node's failure; the worker goes on."""

    class Handlers(dict[str, redrive.Handler]):
        def __contains__(self, name: object) -> bool:
            return True

        def __getitem__(self, name: str) -> redrive.Handler:
            if name == "broken":
                raise ImportError("no such module")
            return lambda _attempt: name

    broken = engine.local.submit(Flow([Node("broken", retry=RetryPolicy(max_attempts=1))]), automation="x")
    sound = engine.local.submit(Flow([Node("sound")]), automation="x")
    Worker(engine, Handlers()).run_until_idle()
    assert (engine.local.run(broken).status, engine.local.run(sound).status) == ("failed", "completed")


def test_a_policy_function_that_raises_stops_no_worker(tmp_path: Path) -> None:
    """The report is recorded; only the sweep waits until the host mends its function."""

    def broken(_tenant: redrive.Tenant, _automation: str) -> redrive.RedrivePolicy:
        raise KeyError("the host's mistake")

    with redrive.open(log_url(tmp_path / "log.db"), redrive_policy=broken) as engine:
        run = engine.local.submit(Flow([Node("a", retry=RetryPolicy(max_attempts=1))]), automation="x")
        Worker(engine, {"a": lambda _attempt: 1 // 0}).run_until_idle()
        engine.local.recover(run, actor="ana", reason="again")
        Worker(engine, {"a": lambda _attempt: 1 // 0}).run_until_idle()
        assert engine.local.dead_letters().items[0].recurrences == 1


def test_a_batch_is_used_once_and_only_within_its_block(engine: redrive.Engine) -> None:
    """Nothing is committed twice, nothing is queued in vain."""
    batch = engine.batch()
    with pytest.raises(InvalidValue):
        batch.add(engine.local.submit, Flow([Node("a")]), automation="x")
    with batch:
        pending = batch.add(engine.local.submit, Flow([Node("a")]), automation="x")
    with pytest.raises(InvalidValue), batch:
        pass
    assert [run.run_id for run in engine.local.runs().items] == [pending.result()]


def test_a_secret_is_taken_out_before_the_reason_is_cut(engine: redrive.Engine) -> None:
    """A cut in the middle of a password must not hide that it is one."""
    engine.local.submit(Flow([Node("a", retry=RetryPolicy(max_attempts=1))]), automation="x")
    claim = engine.local.claim(worker="w", start=True)
    assert claim is not None
    reason = "x" * 4_070 + " https://bob:hunter2secret@example.org/"
    engine.local.fail_attempt(claim.attempts[0], Failure("execution_error", reason))
    kept = engine.local.dead_letters().items[0].reason
    assert "hunter2" not in kept
    assert len(kept.encode()) <= 4_100


def test_a_flow_that_was_changed_after_it_was_made_is_refused(engine: redrive.Engine) -> None:
    """Its digest would name something else; and what the host changes later reaches no run."""
    flow = Flow([Node("a", input={"n": 1})])
    with pytest.raises(TypeError):
        flow.nodes["b"] = Node("b")  # type: ignore[index]
    assert flow.digest
    flow.nodes[redrive.NodeId("a")].input["n"] = 2
    with pytest.raises(InvalidFlow):
        engine.local.submit(flow, automation="x")


def test_a_damaged_run_hides_no_other(tmp_path: Path) -> None:
    """Claims, ticks and sweeps leave it alone; everything else works."""
    url = log_url(tmp_path / "log.db")
    with redrive.open(url) as engine:
        lost = engine.local.submit(Flow([Node("a")]), automation="x")
    damage(tmp_path / "log.db", lost)
    with redrive.open(url) as engine:
        sound = engine.local.submit(Flow([Node("a")]), automation="x")
        claims = engine.claim_many(5, worker="w")
        assert [claim.run_id for claim in claims] == [sound]
        engine.tick()
        with pytest.raises(redrive.StreamDamaged):
            engine.local.cancel(lost, actor="ana", reason="test")
        engine.views.rebuild()
        assert sound in [run.run_id for run in engine.local.runs().items]
        assert engine.local.counts().unknown == {"run.submitted": 1}


def damage(path: Path, run: RunId) -> None:
    """Overwrite a run's first event, as a failing disk might."""
    with outside(path) as log:
        log.execute("ALTER TABLE events DISABLE TRIGGER USER" if in_postgres() else "DROP TRIGGER events_no_update")
        log.execute("UPDATE events SET state = ? WHERE originator_id = ? AND originator_version = 1", (b"{", run))


def test_the_agenda_is_rebuilt_from_the_log(tmp_path: Path) -> None:
    """Rows that were lost come back, and the run is claimed."""
    with redrive.open(log_url(tmp_path / "log.db")) as engine:
        run = engine.local.submit(Flow([Node("a")]), automation="x")
        with outside(tmp_path / "log.db") as log:
            log.execute("DELETE FROM agenda")
        assert engine.local.claim(worker="w") is None
        assert engine.ledger.rebuild_agenda() == 1
        claim = engine.local.claim(worker="w")
        assert claim is not None
        assert claim.run_id == run


def test_a_full_worker_still_renews_its_lease(tmp_path: Path) -> None:
    """The slots are full and the poll is far away: the lease is due before both."""
    with redrive.open(log_url(tmp_path / "log.db")) as engine:
        engine.local.submit(Flow([Node("a")]), automation="x")
        worker = Worker(
            engine, {"a": lambda _attempt: None}, concurrency=1, poll_ms=3_600_000, lease_ms=5_000, tick_ms=None
        )
        (claim,) = engine.claim_many(1, worker=worker.name, lease_ms=5_000, start=True)
        worker._turns.held[claim.run_id] = Held(claim, claim.expires_at_ms)
        assert worker._pause_s() < 2.0


@pytest.mark.parametrize("cursor", ["", "e30", "x" * 40, "W1tbW1tbW1tbW1tbW1tb", "ÿ", "AAAA"])
def test_a_forged_cursor_is_a_bad_value(engine: redrive.Engine, cursor: str) -> None:
    """Never an accident deep within."""
    run = engine.local.submit(Flow([Node("a")]), automation="x")
    with pytest.raises(InvalidValue):
        engine.local.history(run, cursor=cursor)


def test_an_interrupted_submit_leaves_no_run_without_its_flow(engine: redrive.Engine) -> None:
    """The flow is logged by the next one, although the first was on its way to log it."""
    flow = Flow([Node("a")])

    def interrupted(tx: LedgerTransaction) -> None:
        submission(Tenant(), flow, "x", None, None)(tx)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.ledger.transact(Caller(Tenant()), interrupted)
    engine.local.submit(flow, automation="x")
    topics = [event.topic for event in engine.ledger.read()]
    assert topics == ["policy.registered", "flow.registered", "run.submitted"]


@pytest.mark.sqlite_only
def test_a_log_that_was_deleted_acknowledges_nothing(tmp_path: Path) -> None:
    """What would be written to a file that nobody can find again is refused."""
    with redrive.open(log_url(tmp_path / "log.db")) as engine:
        engine.local.submit(Flow([Node("a")]), automation="x")
        (tmp_path / "log.db").unlink()
        with pytest.raises(redrive.StorageError, match="moved or deleted"):
            engine.local.submit(Flow([Node("a")]), automation="x")


@pytest.mark.sqlite_only
def test_a_log_that_was_replaced_is_not_read_any_more(tmp_path: Path) -> None:
    """Who has the old file open does not answer from it, nor fold it into the view of those who have the new one."""
    path, flow = tmp_path / "log.db", Flow([Node("a")])
    with redrive.open(log_url(path)) as old:
        old.local.submit(flow, automation="x", key="kept")
        with closing(sqlite3.connect(path)) as log, closing(sqlite3.connect(tmp_path / "backup.db")) as backup:
            log.backup(backup)
        old.local.submit(flow, automation="x", key="lost")
        assert len(old.local.runs().items) == 2
        for part in ("", "-wal", "-shm"):
            path.with_name(f"log.db{part}").rename(tmp_path / f"aside.db{part}")
        (tmp_path / "backup.db").rename(path)
        with redrive.open(log_url(path)) as new:
            assert [run.key for run in new.local.runs().items] == ["kept"]
            for ask in (old.local.runs, old.verify, old.ledger.read):
                with pytest.raises(redrive.StorageError, match="moved or deleted"):
                    ask()
            assert [run.key for run in new.local.runs().items] == ["kept"]


def test_an_output_that_cannot_be_read_fails_its_attempt_and_nothing_else(engine: redrive.Engine) -> None:
    """Whatever a handler's value does when it is looked at."""

    class Hostile(dict[str, int]):
        def items(self) -> Any:
            raise RuntimeError("changed size during iteration")

    run = engine.local.submit(Flow([Node("a"), Node("b")]), automation="x")
    Worker(engine, {"a": lambda _attempt: Hostile(x=1), "b": lambda _attempt: 1}).run_until_idle()
    assert {node.node: node.status for node in engine.local.show(run).nodes} == {"a": "failed", "b": "succeeded"}


def test_ctrl_c_gives_the_claim_back(engine: redrive.Engine) -> None:
    """The embedding program goes on, and another worker may have the run at once."""
    run = engine.local.submit(Flow([Node("a", retry=backoff(1))]), automation="x")
    worker = Worker(engine, {"a": lambda _attempt: 1})

    def interrupt(_events: object) -> None:
        worker._next_tick = 0.0
        setattr(worker, "_tick_when_due", _raise_interrupt)  # noqa: B010

    engine.ledger.subscribe(interrupt)
    with pytest.raises(KeyboardInterrupt):
        worker.run_until_idle()
    assert engine.local.show(run).worker is None


def _raise_interrupt(_slots: object) -> None:
    raise KeyboardInterrupt


def test_a_worker_on_a_closed_engine_says_so(engine: redrive.Engine) -> None:
    """It does not wait for the engine to come back."""
    engine.close()
    with pytest.raises(redrive.EngineClosed):
        Worker(engine, {}).run()


@pytest.mark.sqlite_only
def test_a_log_that_was_restored_in_place_gets_its_flow_again(tmp_path: Path) -> None:
    """What this process believes to be logged may be gone after a restore."""
    with redrive.open(log_url(tmp_path / "log.db")) as engine, sqlite3.connect(tmp_path / "old.db") as old:
        with sqlite3.connect(tmp_path / "log.db") as log:
            log.backup(old)
        log.close()
        engine.local.submit(Flow([Node("a")]), automation="x")
        with sqlite3.connect(tmp_path / "log.db") as log:
            old.backup(log)
        log.close()
        engine.local.submit(Flow([Node("a")]), automation="x")
        assert [event.topic for event in engine.ledger.read()] == [
            "policy.registered",
            "flow.registered",
            "run.submitted",
        ]
    old.close()


def test_a_view_that_was_deleted_is_made_again_by_whoever_looks_first(engine: redrive.Engine) -> None:
    """Also when the first look is at its status."""
    run = engine.local.submit(Flow([Node("a")]), automation="x")
    assert engine.local.run(run).run_id == run
    assert engine.views.path is not None
    Path(engine.views.path).unlink()
    engine.views.status()
    assert engine.local.run(run).run_id == run


@pytest.mark.long
@pytest.mark.sqlite_only
def test_two_processes_that_run_one_file_make_one_run(tmp_path: Path) -> None:
    """One executes it, the other finds it."""
    (tmp_path / "f.yaml").write_text(
        "automation: x\nversion: 1\nnodes: [{id: a, run: [sh, -c, 'echo x >> ran; sleep 3']}]"
    )
    command = [sys.executable, "-m", "redrive", "--db", "sqlite:///log.db", "run", "f.yaml"]
    both = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in "ab"]
    codes = sorted(process.wait(timeout=240) for process in both)
    with redrive.open(log_url(tmp_path / "log.db")) as engine:
        assert len(engine.local.runs().items) == 1
    assert ((tmp_path / "ran").read_text(), codes[0]) == ("x\n", 0)


@pytest.mark.sqlite_only
def test_a_closed_standard_output_is_no_bug(engine: redrive.Engine, tmp_path: Path) -> None:
    """``redrive runs >&-``: what would be said goes nowhere."""
    engine.local.submit(Flow([Node("a")]), automation="x")
    command = f"{sys.executable} -m redrive --db sqlite:///{tmp_path / 'log.db'} runs >&-"
    assert subprocess.run(command, shell=True, check=False, timeout=240).returncode == 0
