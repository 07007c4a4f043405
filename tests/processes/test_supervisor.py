"""Whoever is killed with -9, the host, its supervisor or both, the command and its daemons do not live on."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from redrive.processes import commands
from redrive.processes.commands import run_command
from tests.processes.survivors import DAEMONS, Mark, eventually, no_survivors

ROOT = Path(__file__).parents[2]
HOST = "import sys; from redrive.processes.commands import run_command; print(flush=True); run_command(sys.argv[1:])"


@pytest.fixture
def mark() -> Iterator[Mark]:
    """A mark for all processes of a test, none of which survives it."""
    with no_survivors() as mark:
        yield mark


def host(mark: Mark, *argv: str, before: str = "") -> "subprocess.Popen[bytes]":
    """Another process that is about to call run_command."""
    pipe, environment = subprocess.PIPE, {**os.environ, **mark.env}
    process = subprocess.Popen(
        [sys.executable, "-c", before + HOST, *argv], cwd=ROOT, env=environment, stdin=pipe, stdout=pipe
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_kill_9_of_redrive_leaves_no_survivor(mark: Mark) -> None:
    """Neither the command nor its daemons, which redrive could not have killed itself."""
    process = host(mark, "sh", "-c", DAEMONS + "trap '' TERM HUP; sleep 600; sleep 600")
    assert eventually(lambda: len([line for line in mark.alive() if line.startswith("sleep")]) == 4)
    process.kill()
    process.communicate()
    assert eventually(lambda: not mark.alive()), mark.alive()


def test_kill_9_right_at_the_start_leaves_no_survivor(mark: Mark) -> None:
    """At any moment: before the supervisor runs, before it has its request, while it forks, after."""
    for _ in range(20):
        process = host(mark, "sh", "-c", DAEMONS + "sleep 600")
        time.sleep(random.uniform(0, 0.08))
        process.kill()
        process.communicate()
    assert eventually(lambda: not mark.alive()), mark.alive()


def test_a_copy_of_redrive_does_not_keep_the_command_alive(mark: Mark) -> None:
    """A host that forks without exec shares every descriptor with the copy, the supervisor's line as well."""
    fork = "import os, signal; signal.signal(signal.SIGUSR1, lambda *_: os.fork() or os._exit(len(os.read(0, 1))));"
    process = host(mark, "sleep", "600", before=fork)
    assert eventually(lambda: any(line.startswith("sleep") for line in mark.alive()))
    process.send_signal(signal.SIGUSR1)
    assert eventually(lambda: sum("run_command" in line for line in mark.alive()) == 2)
    process.kill()
    assert eventually(lambda: not any(line.startswith("sleep") for line in mark.alive()))
    assert sum("run_command" in line for line in mark.alive()) == 1  # the copy, which waits for its input to close
    process.communicate()


def test_kill_9_of_the_supervisor_ends_the_command(mark: Mark) -> None:
    """The command dies with it and is reported as killed; its group is swept."""
    result = run_command(["sh", "-c", "sleep 600 & kill -9 $PPID; sleep 600; sleep 600"], env=mark.env)
    assert (result.exit_status, result.signal, result.start_error) == (None, signal.SIGKILL, None)
    assert eventually(lambda: not mark.alive())


SILENT = """
import importlib.util, os, sys, time
spec = importlib.util.spec_from_file_location("supervisor", {path!r})
supervisor = importlib.util.module_from_spec(spec)
spec.loader.exec_module(supervisor)
supervisor.Supervisor.say = lambda *_: time.sleep(600)
os._exit(supervisor.main(int(sys.argv[1]), int(sys.argv[2])))
"""


def test_who_kills_the_supervisor_at_once_is_known(mark: Mark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the supervisor is: what the command is was told before it ran, so that its group is swept."""
    silent = tmp_path / "silent.py"
    silent.write_text(SILENT.format(path=str(commands.SUPERVISOR)))
    monkeypatch.setattr(commands, "SUPERVISOR", silent)
    test_kill_9_of_the_supervisor_ends_the_command(mark)


def test_the_command_dies_with_its_supervisor_when_nobody_can_react(mark: Mark) -> None:
    """The host is stopped, as by a debugger: the kernel alone ends the command."""
    stop_the_host = "read _ _ _ host _ < /proc/$PPID/stat; kill -STOP $host; kill -9 $PPID;"
    process = host(mark, "sh", "-c", stop_the_host + "while :; do :; done")
    status = Path(f"/proc/{process.pid}/status")
    assert eventually(lambda: "State:\tT" in status.read_text())
    assert eventually(lambda: not any(line.startswith("sh") for line in mark.alive())), mark.alive()
    process.kill()
    process.communicate()
