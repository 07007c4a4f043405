"""Listeners: what they may not do is refused at once, and harms nobody."""

from collections.abc import Callable
from pathlib import Path

import pytest

import redrive
from redrive import Engine, Flow, Node
from redrive.domain.event import Recorded
from tests.stores import log_url


@pytest.mark.parametrize("waiting", [Engine.close, Engine.verify])
def test_a_listener_cannot_wait_for_the_commit_it_is_told_of(
    tmp_path: Path, waiting: Callable[[Engine], object]
) -> None:
    """It hung for ever. Nothing is half closed, and the next listener is told."""
    told: list[str] = []
    opened: list[Engine] = []

    def waits(_event: Recorded) -> None:
        for engine in opened:
            waiting(engine)

    listeners = [waits, lambda event: told.append(event.topic)]
    with redrive.open(log_url(tmp_path / "log.db"), listeners=listeners) as engine:
        opened.append(engine)
        run = engine.local.submit(Flow([Node("a")]), automation="x")
        assert told[-1] == "run.submitted"
        assert engine.local.run(run).status == "queued"
        opened.clear()
