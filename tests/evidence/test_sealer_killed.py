"""A sealer that is killed, ``kill -9``, at any step: the log verifies, sealing goes on, every event is a leaf once."""

import random
import shutil
import signal
import time
from itertools import count
from pathlib import Path

import pytest

import redrive
from tests.evidence.killing import PER_CHECKPOINT, seal_for_ever, seal_until
from tests.evidence.sealed import FLOW, Sealed
from tests.ledger.child import SERVER

ROUNDS = 12


@pytest.fixture
def behind(sealed: Sealed) -> Sealed:
    """A sealed log, and events for three checkpoints more."""
    with sealed.open() as engine, engine.batch() as batch:
        for number in range(PER_CHECKPOINT * 5 // 4):
            batch.add(engine.local.submit, FLOW, automation="more", key=str(number))
    return sealed


def copied(behind: Sealed, to: Path) -> Sealed:
    """A copy that one process may ruin."""
    shutil.copytree(behind.folder, to)
    return Sealed(to)


def require_sound(it: Sealed) -> None:
    """What is there verifies; sealing goes on; no leaf is missing and none is there twice."""
    with it.open() as engine:
        assert engine.verify(views=False, agenda=False).findings == ()
        point = engine.seal()
        assert point is not None
        assert point.size == engine.ledger.last_position()
        assert list(engine.evidence.store.leaves(0, point.size + 9)) == [(n, n + 1) for n in range(point.size)]
        points = engine.evidence.store.checkpoints(0, 10_000)
        assert [one.previous_size for one in points] == [0, *(one.size for one in points[:-1])]
        assert it.pin.read_text() == point.note
        assert engine.verify(views=False, agenda=False).result == redrive.VerifyResult.VERIFIED


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("stride", [8, pytest.param(1, marks=pytest.mark.long)])
def test_killed_at_a_step(behind: Sealed, tmp_path: Path, stride: int) -> None:
    """Before each statement of the log's writer, and each file that is opened, renamed or removed."""
    for step in count(1, stride):
        it = copied(behind, tmp_path / f"killed-{step}")
        child = SERVER.Process(target=seal_until, args=(str(it.folder), step))
        child.start()
        child.join(60)
        assert child.exitcode in (0, -signal.SIGKILL)
        require_sound(it)
        shutil.rmtree(it.folder)
        if child.exitcode == 0:
            break
    assert step > 3 * stride, "it was killed at several steps"


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_killed_at_any_time(sealed: Sealed) -> None:
    """Also amid a statement, and amid a commit; one log survives them all."""
    dice = random.Random(9)
    for _ in range(ROUNDS):
        before = sealed.pin.read_text()
        child = SERVER.Process(target=seal_for_ever, args=(str(sealed.folder),))
        child.start()
        end = time.monotonic() + 60
        while sealed.pin.read_text() == before and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(dice.random() / 10)
        child.kill()
        child.join(60)
        assert child.exitcode == -signal.SIGKILL
        require_sound(sealed)
