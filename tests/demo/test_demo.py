"""``redrive demo``, as it is typed, and with something taken away from it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from redrive.demo.facts import Line
from redrive.demo.promises import PROMISES
from redrive.demo.story import play
from redrive.processes import ticker
from redrive.processes.sweep import SweepReport

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


class Listener:
    """Hears a story."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def chapter(self, title: str, text: str) -> None:
        """Say nothing."""

    def fact(self, line: Line) -> None:
        """Remember it."""
        self.lines.append(line)

    def shop(self, text: str) -> None:
        """Say nothing."""


def told(*words: str, folder: Path) -> "subprocess.Popen[str]":
    """``redrive demo`` in a process of its own, with a temporary folder of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    command = [sys.executable, "-m", "redrive", "demo", *words]
    return subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def survivors(folder: Path) -> Iterator[str]:
    """Processes whose command line names *folder*."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words:
            yield words.decode()


def left_behind(folder: Path) -> list[object]:
    """Files and processes of a demo that is over."""
    return [*folder.glob("redrive-demo-*"), *survivors(folder)]


def test_the_demo_prints_what_the_readme_shows_and_leaves_nothing(tmp_path: Path) -> None:
    """The same chapters, facts and promises; numbers and times vary."""
    process = told(folder=tmp_path)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert left_behind(tmp_path) == []
    shown = re.search(r"```text\n(An order of five.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert shown is not None
    lines = [re.sub(r"^ *\d+ +[\d.]+ s +", "", line) for line in shown[1].splitlines() if "events," not in line]
    assert [line for line in lines if line.strip("… ") and line not in output] == []


@pytest.mark.long
def test_the_log_can_be_kept_and_programs_can_read_the_promises(tmp_path: Path) -> None:
    """It says where the log is."""
    output, _ = told("--keep", "--json", folder=tmp_path).communicate(timeout=240)
    item = json.loads(output)["item"]
    assert item["kept"]
    assert {promise["promise"]: promise["kept"] for promise in item["promises"]} == dict.fromkeys(PROMISES, True)
    assert Path(item["log"]).is_relative_to(tmp_path)
    assert Path(item["log"]).exists()


@pytest.mark.long
def test_without_the_sweep_the_demo_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells what is so, not what was written down: each line is an event of the log, in its order."""
    monkeypatch.setattr(ticker, "sweep", lambda *_args, **_more: SweepReport())
    listener = Listener()
    ending = play(tmp_path, listener, patience_s=30.0)  # a slow machine needs as much for the steps before
    positions = [line.position for line in listener.lines]
    assert positions == sorted(set(positions))
    assert (ending.kept, ending.unmet) == (False, "the sweep redrives it")
    broken = {promise.text for promise in ending.promises if not promise.kept}
    assert {"the order was completed", "the sweep brought the dead letter through, after one request"} <= broken


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Neither its worker nor its folder."""
    process = told(folder=tmp_path)
    end = time.monotonic() + 60
    while not list(survivors(tmp_path)) and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(number)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 130, output
    assert left_behind(tmp_path) == []
