"""The sealer's thread: when it seals, and that it harms nobody."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import redrive
from redrive.domain.errors import InvalidValue
from tests.evidence.sealed import FLOW, Sealed

_OTHERS: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def of_others() -> None:
    """Engines that other tests did not close seal on."""
    _OTHERS.clear()
    _OTHERS.update(threading.enumerate())


def sealers() -> list[str]:
    """The sealers that run in this process since the test began."""
    return [thread.name for thread in {*threading.enumerate()} - _OTHERS if thread.name == "redrive-sealer"]


def sealed_up_to(url: str) -> tuple[int, int]:
    """What is sealed, and what there is."""
    with redrive.open(url, seal=False) as engine:
        last = engine.evidence.store.last()
        return (last.position if last else 0), engine.ledger.last_position()


def eventually(is_so: Callable[[], bool]) -> bool:
    """Whether *is_so* within a minute."""
    end = time.monotonic() + 60
    while not is_so() and time.monotonic() < end:
        time.sleep(0.02)
    return is_so()


def test_who_asked_for_it_seals_from_the_first_event_on(tmp_path: Path) -> None:
    """No thread for who only reads; everything is sealed when the engine is closed."""
    url = f"sqlite:///{tmp_path}/ops.db"
    with redrive.open(url, seal=True) as engine:
        assert sealers() == []
        engine.local.submit(FLOW, automation="a", key="1")
        assert sealers() == ["redrive-sealer"]
    assert sealers() == []
    done, there = sealed_up_to(url)
    assert done == there > 0


def test_it_seals_while_nobody_closes_anything(tmp_path: Path) -> None:
    """Every second, whatever happens."""
    with redrive.open(f"sqlite:///{tmp_path}/ops.db", seal=True) as engine:
        engine.local.submit(FLOW, automation="a", key="1")
        assert eventually(lambda: engine.evidence.store.last() is not None)


def test_it_seals_at_once_when_there_is_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every 256 events, without waiting for its time: fewer wait for it."""
    monkeypatch.setattr("redrive.evidence.sealer.INTERVAL_S", 3_600.0)
    with redrive.open(f"sqlite:///{tmp_path}/ops.db", seal=True) as engine:
        engine.local.submit(FLOW, automation="a", key="few")
        assert engine.evidence.store.last() is None
        with engine.batch() as batch:
            for n in range(256):
                batch.add(engine.local.submit, FLOW, automation="a", key=str(n))
        assert eventually(lambda: engine.evidence.store.last() is not None)


def test_a_worker_seals_and_a_host_that_said_no_does_not(tmp_path: Path) -> None:
    """The default is to seal where work is done."""
    for seal, expected in ((None, True), (False, False)):
        url = f"sqlite:///{tmp_path}/{seal}.db"
        with redrive.open(url, seal=seal) as engine:
            engine.local.submit(FLOW, automation="a", key="1")
            redrive.Worker(engine, {"fetch": print, "publish": print}).run_until_idle()
        done, there = sealed_up_to(url)
        assert (done == there) == expected


def test_a_sealer_that_fails_harms_no_command(sealed: Sealed) -> None:
    """It is logged, and seen as stale; the commands' own errors are their own."""
    sealed.sql("DELETE FROM tree_tiles")
    with sealed.open(seal=True) as engine:
        for number in range(5):
            engine.local.submit(FLOW, automation="more", key=str(number))
        time.sleep(0.1)
    with sealed.open(seal=False) as engine:
        assert engine.local.runs(automation="more").items
        last = engine.evidence.store.last()
        assert last is not None
        assert last.position < engine.ledger.last_position()


def test_closing_twice_is_closing(tmp_path: Path) -> None:
    """The second has nothing left to seal."""
    engine = redrive.open(f"sqlite:///{tmp_path}/ops.db", seal=True)
    engine.local.submit(FLOW, automation="a", key="1")
    engine.close()
    engine.close()
    assert sealers() == []


@pytest.mark.parametrize("options", [{"seal": "yes"}, {"key_file": ""}, {"pin_file": 7}, {"key_file": "/nowhere/key"}])
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: dict[str, object]) -> None:
    """A key file that was named must be there: sealing unsigned would be a silent surprise."""
    with pytest.raises(InvalidValue):
        redrive.open(f"sqlite:///{tmp_path}/ops.db", **options)  # type: ignore[call-overload]
