"""A key that is destroyed on one machine: what others folded, in places that nobody reaches from there, goes too."""

from contextlib import closing
from pathlib import Path

import pytest

import redrive
from redrive.forensics import checkpoints
from redrive.forensics.past import keep_checkpoints
from tests.privacy.vault import CANARY, ERASE, Vault
from tests.processes.workshop import ACME
from tests.stores import log_url

EVERY = 9


@pytest.fixture(name="away")
def _away(vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another place with views, view checkpoints, and views of another version, which hold the canary."""
    monkeypatch.setattr(checkpoints, "LEAST_EVERY", EVERY)
    place = tmp_path / "away"
    place.mkdir()
    vault.filled()
    with closing(opened(vault, place)) as engine:
        engine.views.catch_up()
        assert keep_checkpoints(engine, EVERY).positions()
        Path(str(engine.views.path).replace(".views-", ".views-0ld")).write_text(CANARY)
    assert len(left_in(place)) >= 3
    return place


def opened(vault: Vault, place: Path) -> redrive.Engine:
    """The same log, by a machine whose views lie in *place*."""
    return redrive.open(log_url(vault.path), privacy=redrive.Privacy(str(vault.keys)), views=str(place))


def left_in(place: Path) -> list[str]:
    """The files that hold the canary."""
    return [path.name for path in place.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


def test_who_opens_the_log_in_another_place_forgets_too(vault: Vault, away: Path) -> None:
    """Before anything is asked."""
    vault.engine.destroy_key("ana", tenant=ACME, **ERASE)
    with closing(opened(vault, away)):
        assert left_in(away) == []


@pytest.mark.parametrize("who", ["engine", "tenant", "worker", "ticker"])
def test_who_has_the_log_open_forgets_with_the_next_tick(vault: Vault, away: Path, who: str) -> None:
    """Workers and tickers run for weeks, and tick for themselves."""
    with closing(opened(vault, away)) as engine:
        vault.engine.destroy_key("ana", tenant=ACME, **ERASE)
        assert left_in(away)
        match who:
            case "worker":
                redrive.Worker(engine, handlers={}).run_until_idle()
            case "ticker":
                with redrive.Ticker(engine) as ticker:
                    ticker.stop()
            case _:
                (engine if who == "engine" else engine.for_tenant(ACME)).tick()
        assert left_in(away) == []


@pytest.mark.parametrize("who", ["worker", "ticker"])
def test_what_a_dead_process_began_is_finished_by_who_ticks(
    vault: Vault, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It need not be somebody who opens the log."""
    vault.filled()
    with monkeypatch.context() as patch:
        patch.setattr("redrive.privacy.destruction.remove_copies", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            vault.destroy()
    assert vault.engine.privacy_status().unfinished == 1
    if who == "worker":
        redrive.Worker(vault.engine, handlers={}).run_until_idle()
    else:
        with redrive.Ticker(vault.engine) as ticker:
            ticker.stop()
    assert vault.engine.privacy_status().unfinished == 0


def test_the_past_is_not_told_from_an_older_copy(vault: Vault, away: Path) -> None:
    """Nor by an engine that was open meanwhile, and does nothing but answer."""
    with closing(opened(vault, away)) as engine:
        vault.engine.destroy_key("ana", tenant=ACME, **ERASE)
        with engine.at("pos:9", checkpoint_events=EVERY) as past:
            assert CANARY not in str(past.for_tenant(ACME).runs())
        assert not [name for name in left_in(away) if name.startswith("pos-")]


def test_checkpoints_that_were_made_since_are_kept(vault: Vault, away: Path) -> None:
    """They are removed once for each destruction, not at each question."""
    vault.engine.destroy_key("ana", tenant=ACME, **ERASE)
    with closing(opened(vault, away)) as engine:
        made = keep_checkpoints(engine, EVERY).positions()
        assert made
        assert keep_checkpoints(engine, EVERY).positions() == made
    with closing(opened(vault, away)) as engine:
        assert keep_checkpoints(engine, EVERY).positions() == made


def test_a_place_that_cannot_be_cleaned_does_not_stop_the_work(
    vault: Vault, away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, and done by whoever comes next."""
    vault.engine.destroy_key("ana", tenant=ACME, **ERASE)
    with monkeypatch.context() as patch:
        patch.setattr("redrive.privacy.places.note_erasures", lambda *_: (_ for _ in ()).throw(OSError("no space")))
        opened(vault, away).close()
    with closing(opened(vault, away)):
        assert left_in(away) == []
        assert [path.read_text() for path in away.glob("*.views.erasures")] == ["1"]


def test_versions_side_by_side_do_not_fight(vault: Vault, away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each removes once what the other has folded, and neither does it again because of that."""
    vault.engine.destroy_key("ana", tenant=ACME, **ERASE)
    with closing(opened(vault, away)) as one:
        monkeypatch.setattr("redrive.projections.fold.fingerprint", lambda: "0therc0de")
        with closing(opened(vault, away)) as other:
            assert one.views.path != other.views.path
            for engine in (one, other):
                engine.views.catch_up()
            for engine in (one, other, one):
                engine.tick()
            assert all(Path(str(engine.views.path)).exists() for engine in (one, other))
