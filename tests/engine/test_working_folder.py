"""A program may go to another folder while it has a log open, as daemons do."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import redrive

pytestmark = pytest.mark.sqlite_only
FLOW = redrive.Flow([redrive.Node("a")])


def test_a_log_with_a_relative_name_is_the_one_that_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every thread reads and writes it, its views and its pin; nothing is made where the program has gone."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    with redrive.open("sqlite:///log.db", views=".", pin_file="log.pin") as engine, ThreadPoolExecutor(1) as thread:
        first = engine.local.submit(FLOW, automation="nightly")
        monkeypatch.chdir(elsewhere)
        second = thread.submit(lambda: engine.local.submit(FLOW, automation="nightly")).result()
        engine.seal()
        listed = thread.submit(lambda: {run.run_id for run in engine.local.runs().items}).result()
        assert listed == {first, second}
        assert thread.submit(engine.verify).result().findings == ()
    assert list(elsewhere.iterdir()) == []
    assert (tmp_path / "log.pin").exists()
