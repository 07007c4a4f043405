"""What-if answers as it did: whatever is made faster, the bounds and the views of both ends are the same."""

import json
from pathlib import Path
from typing import Any

import pytest

import redrive
from redrive.forensics.what_if import what_if
from tests.forensics.what_if_answers import FILE, SECTIONS, answers, log_of
from tests.stores import STORE, STORES

ANSWERED: dict[str, dict[str, list[str]]] = json.loads(FILE.read_text())
LARGE = ("schema-3", "fates, redriven", "fates, fail the run", "fates, paused")


def _named(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.long if name in LARGE else ())


@pytest.fixture
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was answered, was about logs in files; other tests compare the stores."""
    monkeypatch.setenv(STORE, STORES[0])


@pytest.mark.parametrize("name", [_named(name) for name in sorted(ANSWERED)])
def test_the_answers_are_the_same(name: str, tmp_path: Path, in_files: None) -> None:
    """Of the logs of every version, under policies that make some runs go another way."""
    assert answers(log_of(name, tmp_path), tmp_path) == ANSWERED[name]


def _untold(path: Path) -> list[dict[str, Any]]:
    with redrive.open(f"sqlite:///{path}", clock=lambda: 1_900_000_000_000, dice=lambda: 0.5) as engine:
        answers = [engine.what_if({"version": 1, "default": section}) for section in SECTIONS.values()]
        found = [answer.report.model_dump(mode="json", exclude={"footing", "runs"}) for answer in answers]
        for answer in answers:
            answer.close()
        return found


@pytest.mark.parametrize("name", ["effects", "fates, left alone"])
def test_runs_that_nobody_is_told_of_are_counted_alike(
    name: str, tmp_path: Path, in_files: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the first 200 it is not looked for what differs; nor are attempts named."""
    path = log_of(name, tmp_path)
    told = _untold(path)
    monkeypatch.setattr(what_if, "MOST_RUNS", 0)
    assert _untold(path) == told
    assert any(answer["runs_that_differ"] for answer in told)


def test_they_are_about_runs_that_differ() -> None:
    """Else there would be nothing to compare."""
    assert len({answer[2] for found in ANSWERED.values() for answer in found.values()}) > 2 * len(ANSWERED)
