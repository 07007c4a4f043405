"""What another policy can touch: what is passed over without being decided again would have come out the same."""

import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import redrive
from redrive.forensics.decided_again.commits import decisions
from redrive.forensics.decided_again.row_decisions import row_decisions
from redrive.forensics.what_if.report import WhatIfReport
from redrive.forensics.what_if.touched import Touched
from tests.forensics.fate import Fate, Life
from tests.forensics.test_what_if import FATES, REDRIVES, RETRIES
from tests.ledger.world import put_raw
from tests.ledger.write_golden import LOGS
from tests.stores import log_url

GOLDEN = sorted(LOGS.glob("*.db"))
POLICIES: tuple[dict[str, Any], ...] = (
    {},
    {"retry": {"max_attempts": 1}},
    {"retry": {"max_attempts": 5}},
    {"retry": {"backoff": {"strategy": "fixed", "initial_delay_ms": 7}}},
    {"retry": {"manual_override": {"enabled": False}}},
    {"retry": {"terminal_behavior": {"mode": "fail_run"}}},
    {"redrive": {"max_dispatches": 1}},
    {"redrive": {"base_delay_ms": 9_000, "continue_after_recurrence": False}},
    {"failure_classes": {"provider_transient": {"max_attempts": 2}}},
)


def both(engine: redrive.Engine, document: dict[str, Any], **more: Any) -> tuple[WhatIfReport, WhatIfReport]:
    """The report as it is made, and as it is when every decision is made again."""
    with engine.what_if(document, **more) as answer:
        quick = answer.report
    with mock.patch.object(Touched, "touches", return_value=True), engine.what_if(document, **more) as answer:
        return quick, answer.report


@pytest.mark.parametrize("section", POLICIES, ids=str)
@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_what_is_passed_over_would_have_been_the_same(golden: Path, section: dict[str, Any], tmp_path: Path) -> None:
    """In logs of every version."""
    shutil.copy(golden, tmp_path / "log.db")
    with redrive.open(log_url(tmp_path / "log.db")) as engine:
        quick, full = both(engine, {"version": 1, "default": section})
        assert quick == full
        middle = engine.ledger.last_position() // 2
        quick, full = both(engine, {"version": 1, "default": section}, from_=middle)
        assert quick == full


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_rows_are_told_apart_as_decisions_are(golden: Path, tmp_path: Path) -> None:
    """Without decoding them."""
    shutil.copy(golden, tmp_path / "log.db")
    with redrive.open(log_url(tmp_path / "log.db")) as engine:
        told = [[recorded.position for recorded in of] for of in decisions(engine.ledger.replay())]
        assert [[row[0] for row in of] for of in row_decisions(engine.ledger.rows(batch=3))] == told


def test_what_nobody_can_read_is_passed_over(tmp_path: Path) -> None:
    """Rows of other versions and damaged ones, in the stream of a run and in one of their own: both ways agree, but for
    the notes of what was kept: who looks at everything keeps more."""
    fate = Fate(seed=3, rate=0.6, graph={"a": (), "b": ("a",)}, runs=3)
    with Life(fate, tmp_path / "log.db").live() as engine:
        runs = [run.run_id for run in engine.local.runs().items]
        last = engine.ledger.at_positions([engine.ledger.last_position()])[0].recorded_at_ms
        for stream, topic, state in (
            (runs[0], "run.attempt-started/9", b"{}"), (runs[1], "run.attempt-failed/1", b"{"), ("other", "x/1", b""),
        ):  # fmt: skip
            put_raw(str(tmp_path / "log.db"), stream, topic, state, at_ms=last)
        for section in POLICIES:
            quick, full = both(engine, {"version": 1, "default": section})
            assert quick.model_copy(update={"notes": ()}) == full.model_copy(update={"notes": ()})


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(fate=FATES, retry=RETRIES, redriving=REDRIVES, data=st.data())
def test_in_any_world(
    tmp_path_factory: pytest.TempPathFactory, fate: Fate, retry: dict[str, Any], redriving: dict[str, Any],
    data: st.DataObject,
) -> None:  # fmt: skip
    """Under any policy, with or without an event that is left out."""
    sections = {"retry": retry, "redrive": redriving}
    with Life(fate, tmp_path_factory.mktemp("fate") / "log.db").live() as engine:
        positions = st.integers(1, engine.ledger.last_position())
        drop = data.draw(st.lists(positions, max_size=1))
        chosen = data.draw(st.sampled_from([{}, sections, {"retry": retry}, {"redrive": redriving}]))
        quick, full = both(engine, {"version": 1, "default": chosen}, drop=drop)
        assert quick == full


def test_the_recorded_policy_needs_no_decision_to_be_made_again(tmp_path: Path) -> None:
    """Nor does one that changes what no recorded failure asks for."""
    fate = Fate(seed=3, rate=0.6, graph={"a": (), "b": ("a",)}, runs=4)
    with Life(fate, tmp_path / "log.db").live() as engine:
        for section in ({}, {"retry": {"max_elapsed_ms": 86_400_000}}):
            with mock.patch("redrive.forensics.what_if.inquiry.Retrial", side_effect=AssertionError) as retrial:
                with engine.what_if({"version": 1, "default": section}) as answer:
                    assert answer.report.runs_that_differ == 0
                retrial.assert_not_called()
