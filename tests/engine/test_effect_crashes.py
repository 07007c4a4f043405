"""Processes that are killed with -9 between intent, call, outcome and report; and another that goes on."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import redrive
from redrive.domain.effect import events as e
from tests.engine.model import check_log, check_views
from tests.stores import log_url

pytestmark = [pytest.mark.slow, pytest.mark.long]
STEPS = ("gate", "intent", "call", "outcome") * 2
KILLED = -9


def run_sender(folder: Path, step: int, *, reconciles: bool) -> int:
    """Its exit status."""
    arguments = [str(folder), str(step), "yes" if reconciles else "no"]
    return subprocess.run(
        [sys.executable, "-m", "tests.engine.sender", *arguments], timeout=240, check=False
    ).returncode


def paid(folder: Path) -> Counter[str]:
    """The payments, by idempotency key."""
    file = folder / "paid.txt"
    return Counter(file.read_text().split() if file.exists() else [])


@pytest.mark.parametrize("step", range(1, len(STEPS) + 1), ids=lambda step: f"{step}-{STEPS[step - 1]}")
def test_with_a_reconciler_each_payment_is_made_once(tmp_path: Path, step: int) -> None:
    """Whenever the first process dies, and the next one a step later: the third completes the run."""
    assert run_sender(tmp_path, step, reconciles=True) == KILLED
    second = run_sender(tmp_path, 2, reconciles=True)
    assert second in (0, KILLED)
    assert run_sender(tmp_path, 0, reconciles=True) == 0
    assert sorted(paid(tmp_path).values()) == [1, 1]
    with redrive.open(log_url(tmp_path / "log.db")) as engine:
        assert [run.status for run in engine.local.runs().items] == ["completed"]
        check_log(engine)
        check_views(engine)


@pytest.mark.parametrize("step", range(1, len(STEPS) + 1), ids=lambda step: f"{step}-{STEPS[step - 1]}")
def test_without_a_reconciler_nothing_is_sent_blindly(tmp_path: Path, step: int) -> None:
    """Killed between intent and outcome: unknown, with a dead letter; elsewhere the run goes on."""
    assert run_sender(tmp_path, step, reconciles=False) == KILLED
    assert run_sender(tmp_path, 0, reconciles=False) == 0
    assert max(paid(tmp_path).values(), default=0) <= 1
    with redrive.open(log_url(tmp_path / "log.db")) as engine:
        lost = STEPS[step - 1] in ("intent", "call")
        assert [dl.source for dl in engine.local.dead_letters().items] == (["tool_effect"] if lost else [])
        unknown = [r for r in engine.ledger.read(0, 1_000) if isinstance(r.event, e.EffectOutcomeUnknown)]
        assert len(unknown) == lost
        check_views(engine)
