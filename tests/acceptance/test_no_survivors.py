"""Commands die with redrive: after kill -9, nothing of an attempt is alive when the next one starts."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """
if [ -e old ] && kill -0 "$(cat old)" 2>/dev/null; then echo survivor >> verdict; fi
rm -f old
setsid sh -c 'trap "" TERM HUP; echo $$ > new; mv new old; sleep 600' &
until [ -e old ]; do sleep 0.02; done
echo started >> verdict
[ "$REDRIVE_LIFETIME" -ge 3 ] || sleep 600
"""
FLOW = """
automation: stubborn
version: 1
nodes:
  - id: command
    run: [sh, -c, {script}]
    retry: {{max_attempts: 9, backoff: {{strategy: none}}}}
"""


def begin(folder: Path) -> subprocess.Popen[bytes]:
    """The same command each time."""
    return subprocess.Popen(
        [sys.executable, "-m", "redrive", "run", "flow.yaml"],
        cwd=folder,
        env={**os.environ, "REDRIVE_DB": "sqlite:///log.db"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def starts(folder: Path) -> int:
    """How many attempts got going."""
    verdict = folder / "verdict"
    return verdict.read_text().count("started") if verdict.exists() else 0


@pytest.mark.long
@pytest.mark.acceptance
def test_no_command_survives_redrive_killed_with_9(tmp_path: Path) -> None:
    """A daemon that ignores SIGTERM and left its session is gone too, before the next attempt starts."""
    (tmp_path / "flow.yaml").write_text(FLOW.format(script=json.dumps(SCRIPT)))
    for kills in (1, 2):
        process = begin(tmp_path)
        deadline = time.monotonic() + 120
        while starts(tmp_path) < kills and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert begin(tmp_path).wait(timeout=120) == 0
    assert (tmp_path / "verdict").read_text().split() == ["started"] * 3
