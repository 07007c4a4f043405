"""What-if answers as it did: whatever is made faster, the bounds and the views of both ends are the same."""

import json
from pathlib import Path

import pytest

from tests.forensics.what_if_answers import FILE, answers
from tests.ledger.write_golden import LOGS

ANSWERED: dict[str, dict[str, list[str]]] = json.loads(FILE.read_text())


@pytest.mark.parametrize("name", sorted(ANSWERED))
def test_the_answers_are_the_same(name: str, tmp_path: Path) -> None:
    """Of the logs of every version, under policies that make some runs go another way."""
    assert answers(LOGS / f"{name}.db", tmp_path) == ANSWERED[name]


def test_they_are_about_runs_that_differ() -> None:
    """Else there would be nothing to compare."""
    assert len({answer[2] for found in ANSWERED.values() for answer in found.values()}) > 2 * len(ANSWERED)
