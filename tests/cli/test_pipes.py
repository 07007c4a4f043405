"""The command line as a real process: pipes that close, signals, locales, full disks."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.logs import World

REDRIVE = (sys.executable, "-m", "redrive")


def shell(command: str, world: World, pipe: int = 1, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of bash in which ``$R`` is the command line, and *pipe* is open."""
    env = {**os.environ, "R": " ".join(REDRIVE), "REDRIVE_DB": world.url, **environment}
    return subprocess.run(
        ["bash", "-c", command], check=False, capture_output=True, text=True, env=env, timeout=240, pass_fds=(pipe,)
    )


@pytest.mark.parametrize("command", ["log tail -n 500", "--help"])
def test_a_reader_that_goes_away_is_no_error(world: World, command: str) -> None:
    """``| head`` gets its lines; nothing is said on standard error; the exit code is a pipe's."""
    reader, writer = os.pipe()
    os.close(reader)
    done = shell(f"$R {command} >&{writer}; echo $?", world, writer)
    os.close(writer)
    assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.mark.parametrize(("url", "code"), [("", 3), ("sqlite:////tmp/no/such.db", 4)])
def test_exit_codes_reach_the_shell(world: World, url: str, code: int) -> None:
    """With one line on standard error, and no traceback."""
    done = shell(f"$R --db {url or world.url} cancel {world.ids.completed} --reason x", world)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_is_full_is_a_storage_error(world: World) -> None:
    """A report that could not be written is no success."""
    done = shell("$R runs > /dev/full", world)
    assert done.returncode == 5
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1


def test_answers_and_remarks_come_in_their_order(world: World) -> None:
    """In one pipe, as whoever keeps a protocol wants them."""
    done = shell(f"exec 2>&1; $R show {world.ids.letter}", world)
    assert done.stdout.startswith("dead letter ")
    assert "\nNext:\n" in done.stdout


def test_following_the_log_ends_with_ctrl_c(world: World) -> None:
    """What came meanwhile was printed at once; exit 130."""
    command = [*REDRIVE, "--db", world.url, "log", "tail", "-n", "1", "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline()
        assert world.run("cancel", world.ids.queued, "--reason", "x").exit_code == 0
        assert "run.cancelled" in follower.stdout.readline()
        follower.send_signal(signal.SIGINT)
        _, told = follower.communicate(timeout=120)
    assert (follower.returncode, told.strip()) == (130, "interrupted")


def test_ctrl_c_while_it_is_being_loaded_is_no_traceback() -> None:
    """One word, and the exit code of an interrupted command."""
    source = (
        "import sys; from redrive.cli import main\n"
        "def find_spec(name, *_):\n    if name == 'redrive.cli.root': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, type('Finder', (), {'find_spec': staticmethod(find_spec)})); main()"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_a_locale_without_unicode_is_no_obstacle(world: World) -> None:
    """What it cannot show is escaped."""
    world.run("dead-letters", "note", world.ids.letter, "Zoë 日本 — done")
    done = shell(f"$R show {world.ids.letter}", world, PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.returncode == 0
    assert "note: Zo\\xeb \\u65e5\\u672c \\u2014 done" in done.stdout


def test_two_operators_at_once_both_succeed(world: World) -> None:
    """Each waits for the other's commit."""
    first, second = f"cancel {world.ids.queued} --reason a", f"pause {world.ids.backoff} --reason b"
    done = shell(f"$R {first} & one=$!; $R {second} & two=$!; wait $one && wait $two", world)
    assert done.returncode == 0, done.stderr
    assert " is cancelled." in done.stdout
    assert "Nothing new starts" in done.stdout
