"""The soak test finds what it looks for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import redrive
from benchmarks.soak.findings import findings
from redrive.demo.service import Behaviour, Call, Service


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[redrive.Engine]:
    """Yield an engine on a log with one effect, sent once and recorded as done."""
    with redrive.open(f"sqlite:///{tmp_path / 'log.db'}") as opened:
        opened.local.effect("a", operation="POST", send=lambda: {"id": 1})
        yield opened


def effect_of(engine: redrive.Engine) -> str:
    """The id of the only effect."""
    return next(event.stream for batch in engine.ledger.replay() for event in batch)


def broken(engine: redrive.Engine, *calls: tuple[str, bool]) -> list[str]:
    """What is found when these calls (key, acted) are in the shop's journal."""
    service = Service(lambda _request: Behaviour())
    with service:
        service.journal += [Call("POST", "/", key, acted, 201, 0.0) for key, acted in calls]
        return findings(engine, service, None).broken


def test_a_log_that_agrees_with_the_journal_is_sound(engine: redrive.Engine) -> None:
    """One intent, one request, one act."""
    assert broken(engine, (effect_of(engine), True)) == []


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ([], "the shop never did it"),
        ([(True, ""), (False, "")], "came 2 times, intended 1"),
        ([(True, ""), (True, "")], "was done 2 times"),
        ([(True, ""), (True, "other")], "the log does not know"),
    ],
)
def test_a_difference_is_found(engine: redrive.Engine, calls: list[tuple[bool, str]], said: str) -> None:
    """Lost, sent without an intent, done twice, done and not recorded."""
    key = effect_of(engine)
    found = broken(engine, *((other or key, acted) for acted, other in calls))
    assert any(said in problem for problem in found)


def test_an_unfinished_run_is_found(engine: redrive.Engine) -> None:
    """Everything has to settle."""
    engine.local.submit(redrive.Flow([redrive.Node("a")]), automation="x")
    assert any("is queued" in problem for problem in broken(engine, (effect_of(engine), True)))
