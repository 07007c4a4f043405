"""What-if: what becomes of effects when a run goes another way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from redrive import Happened
from redrive.forensics.what_if.report import WhatIfReport
from tests.engine.outworld import DECLINED, OPERATION, Till
from tests.processes.workshop import chain, policy


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    """A shop whose reconciler always finds that it happened."""
    till = Till(tmp_path / "log.db", reconcilers={OPERATION: lambda _call: Happened({"charge": 9})})
    yield till
    till.engine.close()


def asked(till: Till, **retry: Any) -> WhatIfReport:
    """What would have been with other fields of the retry policy."""
    with till.engine.what_if({"version": 1, "default": {"retry": retry}}) as answer:
        return answer.report


def later(till: Till, delay_ms: int) -> WhatIfReport:
    """What would have been with another delay before each attempt."""
    return asked(till, backoff={"strategy": "fixed", "initial_delay_ms": delay_ms})


def test_an_unknown_attempt_that_succeeds_has_sent_what_had_failed(till: Till) -> None:
    """Else its node would have succeeded with a failed effect, and there would be a dead letter whatever happens."""
    till.fail_in(till.paying(2), till.world.reject)
    till.fail_in(till.again(), till.world.reject)
    report = asked(till, max_attempts=3)
    assert str(report.dead_letters.counterfactual) == "0 to 1"
    assert report.runs[0].status == ("blocked", "completed")


def test_an_effect_that_failed_in_every_known_attempt_still_may_fail(till: Till) -> None:
    """Fewer attempts leave nothing unknown: there is one dead letter, as recorded."""
    till.fail_in(till.paying(2), till.world.reject)
    till.fail_in(till.again(), till.world.reject)
    assert str(asked(till, max_attempts=1).dead_letters.counterfactual) == "1"


@pytest.mark.parametrize("delay_ms", [0, 500, 60_000])
def test_what_the_next_attempt_found_out_it_finds_out_whenever_it_is_made(till: Till, delay_ms: int) -> None:
    """The reconciliation belongs to the attempt that asked for it, not to a time of day."""
    first = till.attempt(chain("a", "b", retry=policy(2, mode="dead_letter", delay_ms=1)))
    till.fail(first, failure=DECLINED)
    till.now += 10_000
    claim = till.claim()
    till.acme.complete_attempt(claim.attempts[0])
    till.fail_in(till.acme.start_attempt(claim, "b"), till.world.pay_and_break)
    second = till.again()
    till.pay(second)
    till.acme.complete_attempt(second)
    report = later(till, delay_ms)
    assert str(report.dead_letters.counterfactual) == "0"
    assert [run.unused for run in report.runs] == [()]
