"""An opened bundle answers as the log did, as far as its events go; and it never changes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import redrive
from tests.acceptance.killing import DATA, Command
from tests.cli.effect_logs import build_effects
from tests.cli.logs import build
from tests.evidence.sealed import FLOW, Sealed
from tests.forensics.answers import answers


def tenants_of(engine: redrive.Engine) -> list[redrive.Tenant]:
    """Everybody who has something in the log."""
    rows = engine.ledger.recorder.reader().execute("SELECT DISTINCT tenant FROM events ORDER BY 1").fetchall()
    return [redrive.Tenant.parse(row[0]) for row in rows]


def everything(engine: redrive.Engine) -> dict[str, Any]:
    """All answers to all tenants, as of the last event of the log."""
    with engine.at("now", checkpoint_events=0) as past:
        return {str(tenant): answers(past.for_tenant(tenant)) for tenant in tenants_of(engine)}


def of_run(asked: redrive.TenantEngine, run: redrive.RunId) -> list[Any]:
    """What can be asked about a run."""
    letters = asked.dead_letters(run=run).items
    effects = asked.effects(run=run).items
    return [
        asked.run(run),
        asked.show(run),
        list(asked.whole_history(run)),
        letters,
        effects,
        [asked.show_effect(effect.id) for effect in effects],
        asked.compensations(run=run).items,
    ]


@pytest.mark.parametrize("written", [build, build_effects])
def test_a_whole_log_is_projected_again(written: Any, tmp_path: Path) -> None:
    """Every run in every state, with its effects, limits and every queue, for every tenant."""
    written(tmp_path / "ops.db")
    with redrive.open(f"sqlite:///{tmp_path / 'ops.db'}") as engine:
        engine.export(tmp_path / "case.tar", positions=(1, engine.ledger.last_position()))
        expected, id_ = everything(engine), engine.ledger.id
    with redrive.open_bundle(tmp_path / "case.tar") as opened:
        assert opened.ledger.id == id_
        assert everything(opened) == expected


@pytest.mark.parametrize("written", [build, build_effects])
def test_run_by_run(written: Any, tmp_path: Path) -> None:
    """A bundle of a run says of it what the log says."""
    written(tmp_path / "ops.db")
    with redrive.open(f"sqlite:///{tmp_path / 'ops.db'}") as engine:
        for tenant in tenants_of(engine):
            for summary in engine.for_tenant(tenant).runs().items:
                path = tmp_path / f"{summary.run_id}.tar"
                engine.export(path, run=summary.run_id)
                with redrive.open_bundle(path) as opened:
                    mine = opened.for_tenant(tenant)
                    assert of_run(mine, summary.run_id) == of_run(engine.for_tenant(tenant), summary.run_id)
                    assert [run.run_id for run in mine.runs().items] == [summary.run_id]


@pytest.mark.parametrize("last", [1, 30, 61, 400])
def test_a_beginning_of_the_log_is_the_log_as_it_stood(sealed: Sealed, last: int, tmp_path: Path) -> None:
    """The same as ``engine.at``."""
    with sealed.open() as engine:
        engine.export(tmp_path / "case.tar", positions=(1, last))
        with engine.at(last) as past, redrive.open_bundle(tmp_path / "case.tar") as opened:
            assert answers(opened.local) == answers(past.local)
            assert opened.now_ms() == past.now_ms()


def test_the_middle_of_a_log_shows_what_began_there(sealed: Sealed, tmp_path: Path) -> None:
    """Runs whose beginning is not there are not shown; their events can be read."""
    with sealed.open() as engine:
        letter = engine.local.dead_letters().items[-1]
        history = list(engine.local.whole_history(letter.run_id))
        middle = history[len(history) // 2].position
        engine.export(tmp_path / "case.tar", positions=(middle, engine.ledger.last_position()))
        with redrive.open_bundle(tmp_path / "case.tar") as opened:
            began = {run.run_id for run in engine.local.runs(limit=1_000).items if run.created >= middle}
            assert {run.run_id for run in opened.local.runs(limit=1_000).items} == began
            with pytest.raises(redrive.NotFound):
                opened.local.show(letter.run_id)
            assert [event.position for event in opened.ledger.correlated(letter.run_id, 0, 99)] == [
                entry.position for entry in history if entry.position >= middle
            ]


def test_nothing_can_be_done_in_a_bundle(sealed: Sealed, tmp_path: Path) -> None:
    """Neither by commands, nor by who ticks, seals or exports."""
    with sealed.open() as engine:
        engine.export(tmp_path / "case.tar", positions=(1, 20))
    before = (tmp_path / "case.tar").read_bytes()
    with redrive.open_bundle(tmp_path / "case.tar") as opened:
        run = opened.local.runs().items[0].run_id
        for act in (
            lambda: opened.local.submit(FLOW, automation="x"),
            lambda: opened.local.cancel(run, actor="ana", reason="r"),
            lambda: opened.local.claim(worker="w"),
            opened.tick,
            opened.sweep,
            opened.seal,
            opened.await_sealed,
            opened.verify,
            lambda: opened.anchor(redrive.PinAnchor(tmp_path / "pin"), actor="ana", reason="r"),
            lambda: opened.archive(older_than_ms=0, to=tmp_path / "old.archive", actor="ana", reason="r"),
            lambda: opened.destroy_key("ana", actor="ana", reason="r"),
            lambda: opened.export(tmp_path / "b.tar", run=run),
            lambda: opened.set_limit(redrive.Limit("total", "", concurrency=1), actor="ana", reason="r"),
        ):
            with pytest.raises(redrive.ReadOnlyLog, match=r"case\.tar"):
                act()
        assert opened.ledger.last_position() == 20
    assert (tmp_path / "case.tar").read_bytes() == before


def test_what_cannot_be_opened(sealed: Sealed, tmp_path: Path) -> None:
    """A bundle without states, one that was changed, what is none, and what is not there."""
    with sealed.open() as engine:
        engine.export(tmp_path / "hashes.tar", positions=(1, 20), states=False)
        engine.export(tmp_path / "case.tar", positions=(1, 20))
    bundle = (tmp_path / "case.tar").read_bytes()
    (tmp_path / "changed.tar").write_bytes(bundle.replace(b"nightly", b"daily__", 1))
    for name in ("hashes.tar", "changed.tar", "sealed/ops.db"):
        with pytest.raises(redrive.InvalidValue):
            redrive.open_bundle(tmp_path / name)
    with pytest.raises(redrive.StorageError):
        redrive.open_bundle(tmp_path / "nothing.tar")


def test_an_answer_from_a_bundle_says_by_what_it_is_sealed(sealed: Sealed, tmp_path: Path) -> None:
    """The checkpoint that its proofs lead to."""
    with sealed.open() as engine:
        engine.export(tmp_path / "case.tar", positions=(1, 20))
    with redrive.open_bundle(tmp_path / "case.tar") as opened, opened.at("pos:10") as past:
        assert past.footing.seal.startswith("sealed by checkpoint")
        assert "test.example/log" in past.footing.seal


def test_its_copy_goes_when_it_is_closed(sealed: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And when it cannot be opened."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "tmp").mkdir()
    with sealed.open() as engine:
        engine.export(tmp_path / "case.tar", positions=(1, 20))
    with redrive.open_bundle(tmp_path / "case.tar") as opened:
        opened.local.runs()
        assert len(list((tmp_path / "tmp").iterdir())) == 1
    with pytest.raises(redrive.InvalidValue):
        redrive.open_bundle(__file__)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.long
@pytest.mark.acceptance
@pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real inputs is not there")
def test_a_real_workflow_is_handed_over(tmp_path: Path) -> None:
    """It failed often; who gets the bundle verifies it without redrive and sees what its operators saw."""
    command = Command(tmp_path, DATA / "srasearch-chameleon-10a-003.json", failure_rate=0.4, time_scale=0.000_01)
    command.start().wait(timeout=240)
    with command.open() as engine:
        (run,) = engine.local.runs().items
        engine.export(tmp_path / "case.tar", run=run.run_id)
        expected, letters = of_run(engine.local, run.run_id), engine.local.dead_letters().items
        note = engine.evidence.store.checkpoints(0, 1_000)[-1].note
    assert letters
    (tmp_path / "pin").write_text(note)
    script = Path(redrive.__file__).parent / "evidence" / "verify.py"
    asked = [sys.executable, "-I", str(script), str(tmp_path / "case.tar"), "--pin", str(tmp_path / "pin")]
    assert subprocess.run(asked, check=False, capture_output=True, timeout=240).returncode == 0
    with redrive.open_bundle(tmp_path / "case.tar") as opened:
        assert of_run(opened.local, run.run_id) == expected
        assert opened.local.dead_letters().items == letters
