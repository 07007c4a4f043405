"""The past as a view of its own: equal however it is folded, and leaving no trace."""

import hashlib
from pathlib import Path

import pytest

import redrive
from redrive.forensics import checkpoints, private
from redrive.forensics.past import Past, keep_checkpoints
from tests.forensics.answers import answers, single_steps
from tests.projections.plant import ACME, GLOBEX, contents


def digest_of(engine: redrive.Engine) -> str:
    """The bytes of the log: its file and its write-ahead log."""
    paths = (Path(engine.ledger.path), Path(f"{engine.ledger.path}-wal"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths if path.exists())).hexdigest()


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also small logs are folded on disk, with checkpoints close to each other."""
    monkeypatch.setattr(private, "IN_MEMORY", 0)
    monkeypatch.setattr(checkpoints, "LEAST_EVERY", 1)


def test_every_position_equals_a_fold_of_single_steps(engine: redrive.Engine) -> None:
    """The same rows, whether the prefix was folded at once or event by event."""
    for position, step in enumerate(single_steps(engine)):
        with engine.at(position) as past:
            assert contents(past.views) == contents(step)


@pytest.mark.usefixtures("on_disk")
def test_folding_on_from_a_checkpoint_gives_the_same(engine: redrive.Engine) -> None:
    """A view checkpoint equals a fold from scratch; the first look leaves them behind, the second begins there."""
    last = engine.ledger.last_position()
    for round_ in range(2):
        for position in range(1, last + 1, 7 + round_):
            with engine.at(position, checkpoint_events=10) as past, engine.at(position, checkpoint_events=0) as fresh:
                assert contents(past.views) == contents(fresh.views), f"at {position}"
    found = checkpoints.ViewCheckpoints(engine.ledger, engine.views, 10)
    assert found.positions()[:3] == [10, 20, 30]


@pytest.mark.usefixtures("on_disk")
def test_a_checkpoint_of_another_log_is_passed_over(engine: redrive.Engine) -> None:
    """Its ledger, its event or its code do not match; it is written anew."""
    engine.at(25, checkpoint_events=10).close()
    found = checkpoints.ViewCheckpoints(engine.ledger, engine.views, 10)
    assert found.folder is not None
    (found.folder / "pos-000000000020.db").rename(found.folder / "pos-000000000024.db")
    (found.folder / "pos-000000000010.db").write_bytes(b"no database")
    progress: list[tuple[int, int]] = []
    with engine.at(25, checkpoint_events=10, progress=lambda *now: progress.append(now)) as past:
        assert progress[-1] == (25, 25), "nothing of it was used"
        assert past.views.status().position == 25
    assert 20 in found.positions()


@pytest.mark.usefixtures("on_disk")
def test_checkpoints_are_kept_on_request(engine: redrive.Engine) -> None:
    """All that are missing, whatever the live view knows already; none when none are wanted."""
    engine.views.catch_up()
    assert keep_checkpoints(engine, 20).positions() == list(range(20, engine.ledger.last_position() + 1, 20))
    assert keep_checkpoints(engine, 20).size() > 0
    assert keep_checkpoints(engine, 0).positions() == []


@pytest.mark.usefixtures("on_disk")
def test_checkpoints_are_bounded(engine: redrive.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many, those stay that are spread over the log."""
    monkeypatch.setattr(checkpoints, "MOST", 4)
    engine.at(60, checkpoint_events=5).close()
    found = checkpoints.ViewCheckpoints(engine.ledger, engine.views, 5)
    assert found.positions() == [20, 40, 60]
    engine.at(38, checkpoint_events=5).close()
    assert len(found.positions()) <= 4
    assert found.drop() > 0
    assert found.positions() == []


@pytest.mark.sqlite_only
@pytest.mark.usefixtures("on_disk")
def test_nothing_is_left_of_a_past_and_the_log_is_as_it_was(engine: redrive.Engine, tmp_path: Path) -> None:
    """Neither files, nor a byte in the log."""
    before, files = digest_of(engine), {path.name for path in tmp_path.iterdir()}
    with engine.at("now", checkpoint_events=0) as past:
        answers(past.local)
        past.limits()
        assert {path.name for path in tmp_path.iterdir()} - files
    engine.diff(10, 40)
    engine.first("no-stuck-run")
    assert digest_of(engine) == before
    assert {path.name for path in tmp_path.iterdir()} - files <= {f"{Path(str(engine.views.path)).stem}.checkpoints"}


@pytest.mark.sqlite_only
@pytest.mark.usefixtures("on_disk")
def test_what_a_dead_process_left_is_removed(engine: redrive.Engine, tmp_path: Path) -> None:
    """Its lock is free; a past that is in use keeps its folder."""
    left = tmp_path / f"{Path(str(engine.views.path)).name}.past-dead"
    left.mkdir()
    (left / "lock").touch()
    with engine.at(20) as one, engine.at(30) as other:
        assert not left.exists()
        assert one.views.status().position == 20
        assert other.views.status().position == 30


def test_tenants_see_their_own_past_alone(engine: redrive.Engine) -> None:
    """And an event of another names no moment."""
    with engine.at("now") as past:
        mine = answers(past.for_tenant(ACME))
        strangers = answers(past.for_tenant(redrive.Tenant("no", "body", "here")))
    assert mine == answers(engine.for_tenant(ACME).at("now"))
    assert not strangers["runs"]
    theirs = next(event for event in engine.ledger.read() if event.tenant == ACME)
    with pytest.raises(redrive.InvalidValue, match="the id of an event of this log"):
        engine.for_tenant(GLOBEX).at(theirs.event_id)


def test_what_came_later_is_unknown_then(engine: redrive.Engine) -> None:
    """A run of the future is not found, however it is asked for."""
    newest = engine.for_tenant(ACME).runs(limit=1).items[0]
    with engine.for_tenant(ACME).at(newest.created - 1) as past:
        for ask in (past.run, past.show, past.history):
            with pytest.raises(redrive.NotFound):
                ask(newest.run_id)
    with engine.at(0) as nothing:
        assert isinstance(nothing, Past)
        assert nothing.now_ms() == 0
        assert answers(nothing.local)["runs"] == ()


def test_a_past_says_what_it_stands_on(engine: redrive.Engine) -> None:
    """Which log, up to where, by which code."""
    with engine.at(5) as past:
        assert (past.footing.origin, past.footing.position) == (engine.ledger.id, 5)
        assert past.footing.code.startswith("redrive ")
        assert past.local.position == past.position
