"""What-if of a run with many nodes that are ready at once: it takes as long as its events, not as their square."""

from pathlib import Path

import pytest

import redrive
from redrive import Backoff, Flow, Node, RetryPolicy, Strategy, Worker
from redrive.forensics.what_if.script import Script
from tests.stores import log_url

NODES = 120
POLICY = RetryPolicy(max_attempts=3, backoff=Backoff(strategy=Strategy.FIXED, initial_delay_ms=1))


def test_each_node_is_looked_at_when_something_happens_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not each that is ready, for each step of a course."""
    looks = 0
    outcome = Script.outcome

    def counting(self: Script, *asked: object) -> object:
        nonlocal looks
        looks += 1
        return outcome(self, *asked)  # type: ignore[arg-type]

    def work(attempt: redrive.Attempt) -> None:
        if attempt.number == 1 and attempt.node.endswith("7"):
            raise redrive.Retry("once more")

    flow = Flow(Node(f"n{number}", handler="work", retry=POLICY) for number in range(NODES))
    with redrive.open(log_url(tmp_path / "log.db")) as engine:
        engine.local.submit(flow, automation="wide")
        Worker(engine, handlers={"work": work}, concurrency=2).run_until_idle()
        monkeypatch.setattr(Script, "outcome", counting)
        with engine.what_if({"version": 1, "default": {"retry": {"max_attempts": 1}}}) as answer:
            assert answer.report.runs_that_differ == 1
            assert answer.report.attempts.recorded == NODES + NODES // 10
    assert NODES < looks < 4 * NODES
