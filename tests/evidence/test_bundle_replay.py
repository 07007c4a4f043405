"""Decisions that are made again from a bundle: what it does not hold the beginning of is taken as it was recorded."""

from pathlib import Path
from typing import Any

import pytest

import redrive
from redrive.forensics.decided_again.retrial import ELSEWHERE
from tests.cli.effect_logs import build_effects
from tests.cli.logs import build


@pytest.mark.parametrize("written", [build, build_effects])
def test_a_bundle_that_begins_in_the_midst_shows_no_drift(written: Any, tmp_path: Path) -> None:
    """Wherever it begins."""
    written(tmp_path / "ops.db")
    with redrive.open(f"sqlite:///{tmp_path / 'ops.db'}") as engine:
        last = engine.ledger.last_position()
        assert engine.replay_check().given == {}
        for first in (2, 3, *range(5, last, 11)):
            case = tmp_path / f"{first}.tar"
            engine.export(case, positions=(first, last))
            with redrive.open_bundle(case) as bundle:
                report = bundle.replay_check()
                assert report.same, report.first
                assert report.given.keys() <= {ELSEWHERE}


def test_a_bundle_of_a_run_shows_no_drift(tmp_path: Path) -> None:
    """It holds all that the run's decisions were about."""
    build_effects(tmp_path / "ops.db")
    with redrive.open(f"sqlite:///{tmp_path / 'ops.db'}") as engine:
        for number, run in enumerate(engine.local.runs().items):
            engine.export(tmp_path / f"{number}.tar", run=run.run_id)
            with redrive.open_bundle(tmp_path / f"{number}.tar") as bundle:
                assert bundle.replay_check().same
