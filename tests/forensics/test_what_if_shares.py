"""Runs shared out among processes: what is found is what one process finds, whatever becomes of the others."""

import errno
from pathlib import Path
from typing import Any

import pytest

import redrive
from redrive import other_process
from redrive.domain.values import MAX_INTEGER
from redrive.forensics.what_if import shares, what_if
from redrive.forensics.what_if.counterfactual_log import CounterfactualViews
from tests.forensics.fate import Fate, Life
from tests.forensics.what_if_worlds import WORLDS
from tests.other_processes import WAYS, Started, Way, noted

pytestmark = pytest.mark.sqlite_only
ONCE: dict[str, Any] = {"version": 1, "default": {"retry": {"max_attempts": 1}}}
MORE: dict[str, Any] = {"version": 1, "default": {"retry": {"max_attempts": 5}, "redrive": {"base_delay_ms": 7}}}
TOLD = 2
BEGUN = b'...{"recorded":'
"""What a process says that was not allowed to finish."""
FATE = Fate(seed=3, rate=0.6, graph={"a": (), "b": ("a",)}, runs=14, retries=2)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """The processes that are started from now on: for few runs, on a machine with one processor too."""
    monkeypatch.setattr(what_if, "MOST_RUNS", TOLD)
    monkeypatch.setattr(shares, "FROM_COURSES", 0)
    return noted(monkeypatch, processors=3)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A log of some runs that fail and are redriven."""
    path = tmp_path / "log.db"
    Life(FATE, path).live().close()
    return path


def _opened(path: Path, **more: Any) -> redrive.Engine:
    return redrive.open(f"sqlite:///{path}", clock=lambda: 1_900_000_000_000, dice=lambda: 0.5, **more)


def _rows(views: CounterfactualViews) -> list[Any]:
    return [row for page in (views.runs(), views.dead_letters()) for row in page.items]


def _answer(path: Path, policy: dict[str, Any], **more: Any) -> list[Any]:
    """The report but for its footing, and what both views hold."""
    with _opened(path) as engine, engine.what_if(policy, **more) as answer:
        report = answer.report.model_copy(update={"footing": None})
        return [report, *_rows(answer.lower), *_rows(answer.upper)]


def alone(path: Path, policy: dict[str, Any], **more: Any) -> list[Any]:
    """What one process answers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(other_process, "processors", lambda: 1)
        return _answer(path, policy, **more)


@pytest.mark.parametrize("policy", [ONCE, MORE], ids=["once", "more"])
@pytest.mark.parametrize("name", ["effects", "fates, redriven"])
def test_the_same_is_found(name: str, policy: dict[str, Any], tmp_path: Path, started: Started) -> None:
    """Reports and views, of runs that fail in many ways; the processes have ended."""
    path = tmp_path / "log.db"
    WORLDS[name](path)
    found = _answer(path, policy)
    assert [process.poll() is not None for process in started] == [True, True]
    assert found == alone(path, policy)
    assert found[0].runs_that_differ > TOLD


def test_from_a_position_on_and_without_an_event(world: Path, started: Started) -> None:
    """What else was asked goes with the job."""
    with _opened(world) as engine:
        log = engine.ledger.read(limit=MAX_INTEGER)
    submitted = [recorded.position for recorded in log if recorded.topic == "run.submitted"]
    drop = [submitted[-1], next(r.position for r in reversed(log) if r.topic == "run.attempt-failed")]
    found = _answer(world, ONCE, from_=submitted[2], drop=drop)
    assert len(started) == 2
    assert found == alone(world, ONCE, from_=submitted[2], drop=drop)
    assert found[0].dropped == tuple(sorted(drop))


def test_the_redrive_policy_of_the_engine_goes_with_the_job(tmp_path: Path, started: Started) -> None:
    """Where the log names none: of runs whose dead letters nobody ever redrove."""
    path, usual = tmp_path / "log.db", redrive.RedrivePolicy(max_dispatches=2, base_delay_ms=77)
    Life(Fate(5, 0.7, {"a": (), "b": ("a",)}, retries=1, attempts=2, runs=10), path).live().close()

    def found() -> Any:
        with _opened(path, redrive_policy=usual) as engine, engine.what_if(MORE) as answer:
            return answer.report.model_copy(update={"footing": None})

    several = found()
    assert len(started) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(other_process, "processors", lambda: 1)
        assert several == found()


def test_runs_that_were_claimed_together_go_to_who_has_them(tmp_path: Path, started: Started) -> None:
    """A decision about several runs is everybody's."""
    path = tmp_path / "log.db"
    with _opened(path) as engine:
        flow = redrive.Flow([redrive.Node("a"), redrive.Node("b", after=["a"])])
        for n in range(12):
            engine.local.submit(flow, automation="nightly", key=str(n))
        for n, claim in enumerate(engine.local.claim_many(12, worker="w", start=True)):
            if n % 2:
                engine.local.complete_attempt(claim.attempts[0])
            else:
                engine.local.fail_attempt(claim.attempts[0], redrive.Failure("execution_error", "it broke"))
            engine.local.release(claim)
        assert len(engine.local.claim_many(12, worker="w", start=True)) == 12
    found = _answer(path, ONCE)
    assert len(started) == 2
    assert found == alone(path, ONCE)
    assert (found[0].runs_that_differ, str(found[0].attempts.change)) == (6, "-6")


def test_progress_is_told_to_the_end(world: Path, started: Started) -> None:
    """By the process that was asked."""
    told: list[tuple[int, int]] = []
    with _opened(world) as engine, engine.what_if(ONCE, progress=lambda done, of: told.append((done, of))):
        last = engine.ledger.last_position()
    assert len(started) == 2
    assert told[-1] == (last, last)


def cannot_be_told(patch: pytest.MonkeyPatch, _words: bytes) -> None:
    """The disk is full."""

    def write_text(path: Path, text: str) -> int:
        raise OSError(errno.ENOSPC, "no space left on device", str(path))

    patch.setattr(Path, "write_text", write_text)


@pytest.mark.parametrize("fails", [cannot_be_told, *WAYS])
def test_a_process_fails(fails: Way, world: Path, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was asked finds out by itself."""
    expected = alone(world, ONCE)
    fails(monkeypatch, BEGUN)
    assert _answer(world, ONCE) == expected
    assert all(process.poll() is not None for process in started)


def test_whose_answer_is_not_heard_any_more_ends(world: Path, started: Started) -> None:
    """Whoever asked gives up, or is interrupted."""

    def interrupt(_done: int, _of: int) -> None:
        if started:
            raise KeyboardInterrupt

    with _opened(world) as engine, pytest.raises(KeyboardInterrupt):
        engine.what_if(ONCE, progress=interrupt)
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


def test_the_program_goes_to_another_folder(
    world: Path, tmp_path: Path, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is the one that was opened, also where another of that name lies."""
    expected = alone(world, ONCE)[0]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with _opened(elsewhere / world.name) as other:
        other.local.submit(redrive.Flow([redrive.Node("a")]), automation="other")
    monkeypatch.chdir(world.parent)
    with _opened(Path(world.name)) as engine:
        monkeypatch.chdir(elsewhere)
        with engine.what_if(ONCE) as answer:
            assert answer.report.model_copy(update={"footing": None}) == expected
    assert len(started) == 2


def _starts(
    courses: int, path: Path, policy: dict[str, Any], started: Started, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Whether processes are started where so many courses are worth it."""
    monkeypatch.setattr(shares, "FROM_COURSES", courses)
    before = len(started)
    with _opened(path) as engine, engine.what_if(policy) as answer:
        assert answer.report.runs_that_differ > TOLD
    return len(started) > before


def _nobody_starts(path: Path, **more: Any) -> None:
    with _opened(path, **more) as engine, engine.what_if(ONCE) as answer:
        assert answer.report.runs_that_differ > TOLD


def test_one_processor_starts_no_process(world: Path, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would only wait for this one."""
    monkeypatch.setattr(other_process, "processors", lambda: 1)
    _nobody_starts(world)
    assert started == []


def test_few_runs_start_no_process(world: Path, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default."""
    monkeypatch.setattr(shares, "FROM_COURSES", 1_000)
    _nobody_starts(world)
    assert started == []


def test_few_runs_that_may_take_many_courses_are_shared_out(
    world: Path, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes time are courses: a run has one of fewer attempts, and many of more."""
    assert not _starts(10, world, ONCE, started, monkeypatch)
    assert _starts(10, world, MORE, started, monkeypatch)


def test_a_function_of_the_host_is_not_handed_over(world: Path, started: Started) -> None:
    """Nobody else has it."""
    _nobody_starts(world, redrive_policy=lambda _tenant, _automation: redrive.RedrivePolicy())
    assert started == []


def test_keys_are_not_handed_over(world: Path, tmp_path: Path, started: Started) -> None:
    """Nor is an encrypted log shared out among those who have none."""
    _nobody_starts(world, privacy=redrive.Privacy(keys=str(tmp_path / "keys.db")))
    _nobody_starts(world)
    assert started == []


def test_a_bundle_is_not_shared_out(world: Path, tmp_path: Path, started: Started) -> None:
    """It is a copy that goes with who opened it."""
    with _opened(world) as engine:
        engine.export(tmp_path / "bundle", positions=(1, engine.ledger.last_position()))
    with redrive.open_bundle(tmp_path / "bundle") as bundle, bundle.what_if(ONCE) as answer:
        assert answer.report.runs_that_differ > TOLD
    assert started == []
