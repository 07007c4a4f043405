"""What-if answers as it did: whatever is made faster, the bounds and the views of both ends are the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.forensics.what_if_answers import FILE, answers, log_of

ANSWERED: dict[str, dict[str, list[str]]] = json.loads(FILE.read_text())
LARGE = ("schema-3", "fates, redriven", "fates, fail the run", "fates, paused")


def _named(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.long if name in LARGE else ())


@pytest.mark.parametrize("name", map(_named, sorted(ANSWERED)))
def test_the_answers_are_the_same(name: str, tmp_path: Path) -> None:
    """Of the logs of every version, under policies that make some runs go another way."""
    assert answers(log_of(name, tmp_path), tmp_path) == ANSWERED[name]


def test_they_are_about_runs_that_differ() -> None:
    """Else there would be nothing to compare."""
    assert len({answer[2] for found in ANSWERED.values() for answer in found.values()}) > 2 * len(ANSWERED)
