"""Commands as real processes: how they end, what they may leave behind (nothing), and what redrive survives."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from redrive.processes.commands import CommandResult, run_command
from tests.processes.survivors import DAEMONS, Mark, no_survivors

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable


def sh(script: str, **options: Any) -> CommandResult:
    """Run a shell script."""
    return run_command(["sh", "-c", script], **options)


def timed_out(script: str, **options: Any) -> CommandResult:
    """How a script ends that is given two seconds; longer where this machine needs that to make it say "ready"."""
    for timeout_ms in (2_000, 20_000):
        if (result := sh(script, timeout_ms=timeout_ms, **options)).stdout.startswith("ready\n"):
            return result
    return sh(script, timeout_ms=100_000, **options)


@pytest.fixture
def mark() -> Iterator[Mark]:
    """A mark for all processes of a test, none of which survives it."""
    with no_survivors() as mark:
        yield mark


@pytest.mark.parametrize("status", [0, 1, 3, 125, 126, 127, 255])
def test_the_exit_status_is_passed_on(status: int) -> None:
    """Also those that shells and the supervisor use themselves."""
    result = sh(f"echo out; echo err >&2; exit {status}")
    assert (result.exit_status, result.signal, result.start_error) == (status, None, None)
    assert (result.stdout, result.stderr, result.truncated) == ("out\n", "err\n", False)
    assert not result.timed_out
    assert not result.cancelled


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM, signal.SIGPIPE])
def test_the_signal_that_ended_a_command_is_passed_on(number: int) -> None:
    """A signal is no exit status."""
    result = sh(f"ulimit -c 0; kill -{int(number)} $$")
    assert (result.exit_status, result.signal, result.start_error) == (None, number, None)


def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    """Not found, not executable, no such directory, no interpreter: one sentence each, and no exit status."""
    script, lost = tmp_path / "script", tmp_path / "lost"
    script.write_text("plain")
    lost.write_text("#!/no/such/interpreter\n")
    lost.chmod(0o755)
    expected = {
        ("no-such-program",): "command not found: no-such-program",
        (str(script),): f"command not executable: {script}: Permission denied",
        (str(lost),): f"command not executable: {lost}: its interpreter is missing",
        (str(tmp_path),): f"command not executable: {tmp_path}: Permission denied",
        ("true", "x" * 200_000): "command not executable: true: Argument list too long",
    }
    assert {argv: run_command(argv).start_error for argv in expected} == expected
    assert run_command(["true"], cwd="/no/such").start_error == "working directory not found: /no/such"
    assert run_command(["true"], cwd=str(script)).exit_status is None
    assert (run_command(["x" * 100_000]).start_error or "").startswith("command not executable: xxx")


@pytest.mark.parametrize(
    ("argv", "env"),
    [([], {}), ([""], {}), (["a\0b"], {}), (["\ud800"], {}), (["true"], {"": "x"}), (["true"], {"a=b": ""})],
)
def test_what_no_system_can_run_is_a_start_error(argv: list[str], env: dict[str, str]) -> None:
    """A value, not an exception: flow files contain anything."""
    result = run_command(argv, env=env)
    assert (result.start_error or "").startswith("cannot start the command: ")
    assert (result.exit_status, result.signal) == (None, None)


def test_environment_and_directory_reach_the_command(tmp_path: Path) -> None:
    """What env holds is added to what is inherited; a relative program belongs to the directory."""
    (tmp_path / "hello").write_text('#!/bin/sh\necho "$PATH|$EXTRA|$PWD"')
    (tmp_path / "hello").chmod(0o755)
    result = run_command(["./hello"], env={"EXTRA": "é\udcff"}, cwd=str(tmp_path))
    assert result.stdout == f"{os.environ['PATH']}|é\ufffd|{tmp_path}\n"


def test_the_input_reaches_the_command_or_is_ignored() -> None:
    """Also when it is more than a pipe holds; /dev/null without one."""
    assert sh("cat", input_text="a\0\ud800é").stdout == "a\0\ufffdé"
    assert sh("cat; readlink /proc/self/fd/0").stdout == "/dev/null\n"
    assert sh("wc -c", input_text="x" * 3_000_000).stdout.strip() == "3000000"
    assert sh("exit 4", input_text="x" * 3_000_000).exit_status == 4


def test_long_output_keeps_its_beginning_and_end() -> None:
    """Both streams at once, each bounded by itself; the mark counts what is missing."""
    result = sh("seq 1 200000; seq 1 200000 >&2", output_limit=1_000)
    for text in (result.stdout, result.stderr):
        head, _, tail = text.partition("\n… ")
        assert head.startswith("1\n2\n3\n")
        assert tail.endswith("\n199999\n200000\n")
        omitted = int(tail.split(" bytes omitted …\n")[0])
        assert len(head) + len(tail.split("…\n")[1]) + omitted == sum(len(f"{n}\n") for n in range(1, 200_001))
        assert len(head) == 500
    assert result.truncated


def test_output_up_to_the_limit_is_whole() -> None:
    """One byte more is not; nothing at all may be kept."""
    assert sh("printf 1234567890", output_limit=10).stdout == "1234567890"
    assert not sh("printf 1234567890", output_limit=10).truncated
    assert sh("printf 12345678901", output_limit=10).truncated
    assert sh("printf 12345678901", output_limit=0).stdout == "\n… 11 bytes omitted …\n"
    with pytest.raises(ValueError, match="output_limit"):
        sh("true", output_limit=-1)


def test_output_is_text_whatever_the_bytes() -> None:
    """Replacement for what is no UTF-8, NUL kept, no character cut in two."""
    assert sh(r"printf 'a\000\377\303\251'").stdout == "a\0\ufffdé"
    assert "\ufffd" not in sh("yes é | head -c 9999 | tr -d '\\n'; echo", output_limit=999).stdout


def test_output_is_redacted() -> None:
    """Also where the cut goes through a secret."""
    result = sh("echo token=abc; echo 'Bearer xyz' >&2")
    assert (result.stdout, result.stderr) == ("token=[redacted]\n", "Bearer [redacted]\n")
    line = "password=" + "hunter2" * 20
    for limit in range(300, 440, 20):
        assert "hunter2" not in sh(f"echo {line}; echo {line}; echo {line}; echo {line}", output_limit=limit).stdout


def test_a_timeout_asks_before_it_kills(mark: Mark) -> None:
    """SIGTERM first, to the whole group, which may use the grace, also when its leader is gone at once."""
    polite = "(trap 'sleep 0.2; echo bye; exit 5' TERM; echo ready; while :; do sleep 0.02; done) & "
    result = timed_out(polite + "wait", grace_ms=30_000, env=mark.env)
    assert (result.timed_out, result.signal, result.stdout) == (True, signal.SIGTERM, "ready\nbye\n")
    forever = "echo ready; while :; do sleep 0.02; done"
    result = timed_out(f"trap 'exit 6' TERM; {forever}", grace_ms=30_000, env=mark.env)
    assert (result.timed_out, result.exit_status, result.cancelled) == (True, 6, False)


def test_a_timeout_kills_what_ignores_it(mark: Mark) -> None:
    """Grace over, SIGKILL: to what ignores SIGTERM, to what is stopped, to what left the group."""
    deaf = "trap '' TERM; echo ready; sleep 600; sleep 600"
    for script in (deaf, "echo ready; kill -STOP $$", DAEMONS + deaf):
        result = timed_out(script, grace_ms=100, env=mark.env)
        assert (result.timed_out, result.signal, result.exit_status) == (True, signal.SIGKILL, None)
        assert 2_100 <= result.duration_ms < 300_000
        assert mark.alive() == []


@pytest.mark.parametrize("script", ["yes", "exec >&- 2>&- <&-; sleep 60", "yes >&2 & yes & wait"])
def test_no_use_of_the_streams_makes_it_hang(script: str, mark: Mark) -> None:
    """Filling them, closing them, leaving them to others."""
    result = sh(script, timeout_ms=200, output_limit=100, env=mark.env)
    assert result.timed_out
    assert mark.alive() == []


def test_what_a_command_leaves_running_dies_with_it(mark: Mark) -> None:
    """Daemons in their own sessions too, before the exit status is reported."""
    result = sh(DAEMONS + "exit 7", env=mark.env)
    assert (result.exit_status, result.timed_out) == (7, False)
    assert mark.alive() == []


def test_a_command_that_forks_on_and_on_is_caught(mark: Mark) -> None:
    """Each generation leaves its session and its parent dies: there is never one to aim at for long."""
    comet = "import os\nfor _ in range(100000):\n os.fork() and os._exit(0)\n os.setsid()"
    result = run_command([PYTHON, "-S", "-c", comet], timeout_ms=60_000, grace_ms=0, env=mark.env)
    assert result.exit_status == 0
    assert mark.alive() == []


def test_cancelling_ends_a_command(mark: Mark, tmp_path: Path) -> None:
    """It is told from a timeout; when it is too late already, nothing is started."""
    called_off = tmp_path / "begun"
    result = sh(f"touch {called_off}; sleep 600", cancelled=called_off.exists, timeout_ms=300_000, env=mark.env)
    assert (result.cancelled, result.timed_out, result.signal) == (True, False, signal.SIGTERM)
    result = sh("echo ran", cancelled=called_off.exists)
    assert (result.cancelled, result.exit_status, result.signal, result.stdout) == (True, None, None, "")
    result = sh("echo ran", timeout_ms=0)
    assert (result.timed_out, result.exit_status, result.signal, result.stdout) == (True, None, None, "")


def test_an_error_of_the_caller_ends_the_command(mark: Mark) -> None:
    """What cancelled raises passes through, Ctrl-C alike, and nothing runs on."""
    answers = iter([False, False])
    with pytest.raises(StopIteration):
        sh(DAEMONS + "sleep 60", cancelled=lambda: next(answers), env=mark.env)
    assert mark.alive() == []


def test_many_threads_run_commands_at_once() -> None:
    """None gets the output, the status or the pipes of another."""
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: sh(f"cat; exit {n}", input_text=f"text {n}"), range(24)))
    assert [(result.exit_status, result.stdout) for result in results] == [(n, f"text {n}") for n in range(24)]


def children() -> set[str]:
    """The children of this process, zombies among them."""
    tasks = Path("/proc/self/task").iterdir()
    return {pid for task in tasks for pid in (task / "children").read_text().split()}


def test_nothing_is_leaked() -> None:
    """No descriptor and no zombie after fifty runs, failed starts and timeouts among them."""
    sh("true")
    mine = children()  # other tests may have left some
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for n in range(50):
        argv = [["true"], ["no-such-program"], ["cat"]][n % 3]
        run_command(argv, timeout_ms=10 if n % 5 == 0 else None, input_text="x")
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert children() <= mine


def test_a_command_inherits_nothing_by_accident() -> None:
    """Three descriptors, default signals, nothing blocked, a session of its own, whatever the thread has."""
    script = "import os; print(sorted(os.listdir('/proc/self/fd'))[:-1], os.getsid(0) == os.getpid())"
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    try:
        result = run_command([PYTHON, "-I", "-S", "-c", script])
        masks = sh("grep -E 'Sig(Blk|Ign)' /proc/self/status").stdout.split()
        assert sh("sleep 60", timeout_ms=200).signal == signal.SIGTERM
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGCHLD})
    assert result.stdout == "['0', '1', '2'] True\n"
    blocked, ignored = int(masks[1], 16), int(masks[3], 16)
    assert (masks[::2], blocked, ignored & 0x7FFF_FFFF) == (
        ["SigBlk:", "SigIgn:"],
        0,
        0,
    )  # 32: the C library's


def test_a_host_without_standard_streams_runs_commands() -> None:
    """A daemon closed them, so that every new descriptor is 0, 1 or 2; and it dies of SIGPIPE if it gets one."""
    code = """if True:
        import os, signal
        from redrive.processes.commands import run_command
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.closerange(0, 3)
        result = run_command(["sh", "-c", "cat; echo out; echo err >&2"])
        os._exit((result.stdout, result.stderr) == ("out\\n", "err\\n"))"""
    assert subprocess.run([PYTHON, "-c", code], cwd=ROOT, check=False).returncode == 1
