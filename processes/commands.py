"""Commands of the user: started, watched, bounded and, when it is time, ended with all their descendants (POSIX).

Each command runs under a supervisor process of its own, which kills it when redrive dies; see supervisor.py.
"""

import contextlib
import fcntl
import math
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from redrive.domain.redaction import redact_text
from redrive.processes.output import Output

SUPERVISOR = Path(__file__).with_name("supervisor.py")

CHUNK = 1 << 16
CANCEL_POLL_S = 0.05  # how soon a cancellation is noticed
DRAIN_S = 1.0  # how long to read on when the command is gone and something unreachable holds its output open
LAST_WORD_S = 15.0  # how long to wait for the report of a kill; the supervisor itself gives up after ten seconds


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended and what it said.

    One of *exit_status*, *signal* (which ended it) and *start_error* (a sentence; nothing ran) is set; none of them
    when it was timed out or cancelled before it began, or cannot be killed. *stdout* and *stderr* are redacted;
    *truncated* says that the middle of one of them is missing.
    """

    exit_status: int | None
    signal: int | None
    timed_out: bool
    cancelled: bool
    start_error: str | None
    stdout: str
    stderr: str
    truncated: bool
    duration_ms: int


def run_command(
    argv: Sequence[str],
    *,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    input_text: str | None = None,
    timeout_ms: int | None = None,
    output_limit: int = 64 * 1024,
    cancelled: Callable[[], bool] | None = None,
    grace_ms: int = 2_000,
) -> CommandResult:
    """Run *argv* without a shell and wait for its end; any number of threads may do so at once.

    *env* is added to the inherited environment. *input_text* is what the command reads, /dev/null otherwise. Of stdout
    and of stderr at most *output_limit* bytes each are kept, half of them from the beginning and half from the end.
    When *timeout_ms* have passed or *cancelled* answers True, the process group gets SIGTERM and, *grace_ms* later,
    everything SIGKILL. What the command leaves running is killed before this returns. Whatever *cancelled* raises is
    passed on, with the command killed.
    """
    if output_limit < 0:
        raise ValueError(f"output_limit must be 0 bytes or more, not {output_limit}")
    begun = time.monotonic()
    stdout, stderr = Output(output_limit), Output(output_limit)
    stop = _Stop(cancelled, math.inf if timeout_ms is None else begun + timeout_ms / 1000, grace_ms)
    request = partial(_request, argv, cwd, env)
    ending = _Ending() if stop.order() else _watched(request, input_text, stdout, stderr, stop)
    return CommandResult(
        exit_status=ending.exit_status,
        signal=ending.signal,
        timed_out=stop.reason == "timeout",
        cancelled=stop.reason == "cancelled",
        start_error=ending.start_error and redact_text(ending.start_error),
        stdout=stdout.text(),
        stderr=stderr.text(),
        truncated=bool(stdout.omitted or stderr.omitted),
        duration_ms=round((time.monotonic() - begun) * 1000),
    )


def _watched(
    request: Callable[[], bytes], input_text: str | None, stdout: Output, stderr: Output, stop: "_Stop"
) -> "_Ending":
    """Start the command, if it can be started, and watch it to its end."""
    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(_supervised(request(), input_text))
        except (OSError, ValueError) as problem:
            return _Ending(start_error=f"cannot start the command: {problem}")
        return running.watch(stdout, stderr, stop)


class _Stop:
    """When the command is asked to end, when it is killed, and when there is nothing more to wait for."""

    def __init__(self, cancelled: Callable[[], bool] | None, deadline: float, grace_ms: int) -> None:
        self.cancelled = cancelled
        self.grace_s = max(grace_ms, 0) / 1000
        self.stage, self.next_at, self.reason = "running", deadline, ""

    def order(self) -> bytes:
        """What to tell the supervisor now: nothing, T or K."""
        late = time.monotonic() >= self.next_at
        if self.stage == "running":
            called_off = self.cancelled is not None and self.cancelled()
            if called_off or late:
                self.reason = "cancelled" if called_off else "timeout"
                self._enter("ending", self.grace_s)
                return b"T"
        elif late and self.stage == "ending":
            self._enter("killing", LAST_WORD_S)
            return b"K"
        elif late:
            self._enter("done", 0.0)
        return b""

    def command_is_gone(self) -> None:
        """Only output that was written before is still to be read."""
        self._enter("draining", DRAIN_S)

    def _enter(self, stage: str, seconds: float) -> None:
        self.stage, self.next_at = stage, time.monotonic() + seconds

    def wait_s(self) -> float | None:
        """How long there is nothing to ask; None for ever."""
        left = max(0.0, self.next_at - time.monotonic())
        if self.stage == "running" and self.cancelled is not None:
            return min(left, CANCEL_POLL_S)
        return None if math.isinf(left) else left


class _Ending(NamedTuple):
    exit_status: int | None = None
    signal: int | None = None
    start_error: str | None = None


@dataclass(frozen=True, slots=True)
class _Running:
    process: subprocess.Popen[bytes]
    control: socket.socket

    def watch(self, stdout: Output, stderr: Output, stop: _Stop) -> _Ending:
        """Read until the command is reported dead and its output is at its end."""
        said, ending = bytearray(), _Ending()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ, said.extend)
            selector.register(self.process.stdout, selectors.EVENT_READ, stdout.feed)
            selector.register(self.process.stderr, selectors.EVENT_READ, stderr.feed)
            while selector.get_map() and stop.stage != "done":
                for key, _ in selector.select(stop.wait_s()):
                    data = b""
                    with contextlib.suppress(ConnectionResetError):  # the supervisor died with our words unread
                        data = os.read(key.fd, CHUNK)
                    key.data(data)
                    over = key.fileobj is self.control and (not data or said.count(b"\n") == 2)
                    if over:
                        ending = self.ending(said.decode("utf-8", "replace").splitlines())
                        stop.command_is_gone()
                    if over or not data:
                        selector.unregister(key.fileobj)
                if order := stop.order():
                    self.tell(order)
        return ending

    def tell(self, message: bytes) -> None:
        """Send to the supervisor; one that is gone has no use for it."""
        with contextlib.suppress(OSError):
            self.control.sendall(message, getattr(socket, "MSG_NOSIGNAL", 0))

    def ending(self, said: list[str]) -> _Ending:
        """What the supervisor reported; when it was killed itself, the command died with it."""
        kind, _, rest = "".join(said[-1:]).partition(" ")
        match kind:
            case "exit":
                return _Ending(exit_status=int(rest))
            case "signal":
                return _Ending(signal=int(rest))
            case "error":
                return _Ending(start_error=rest)
            case "started":
                with contextlib.suppress(OSError):
                    os.killpg(int(rest), signal.SIGKILL)
                return _Ending(signal=signal.SIGKILL)
            case _:
                return _Ending(start_error=f"the supervisor of the command ended with status {self.process.wait()}")


@contextlib.contextmanager
def _supervised(request: bytes, input_text: str | None) -> Iterator[_Running]:
    """Start the command; leaving the block ends it. Raises OSError."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs, _stdin(input_text) as stdin:
            line = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, 3)  # a host without standard streams gives us 0, 1 or 2
            try:
                process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(SUPERVISOR), str(line), str(os.getpid())],
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    pass_fds=(line,),
                    start_new_session=True,  # Ctrl-C is for redrive
                )
            finally:
                os.close(line)
        with process:  # closes its pipes and waits
            running = _Running(process, ours)
            try:
                running.tell(len(request).to_bytes(8, "big") + request)
                yield running
            finally:
                ours.close()
                try:
                    process.wait(LAST_WORD_S)
                except subprocess.TimeoutExpired:
                    process.kill()


def _stdin(text: str | None) -> contextlib.AbstractContextManager[IO[bytes] | int]:
    """A file with the input: a pipe would have to be fed, also when the command does not read."""
    if text is None:
        return contextlib.nullcontext(subprocess.DEVNULL)
    file: IO[bytes] = (
        os.fdopen(os.memfd_create("input"), "w+b") if sys.platform == "linux" else tempfile.TemporaryFile()  # noqa: SIM115
    )
    # By way of UTF-16 a lone surrogate becomes U+FFFD and a pair one character.
    file.write(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode())
    file.seek(0)
    return file


def _request(argv: Sequence[str], cwd: str | None, env: Mapping[str, str] | None) -> bytes:
    """The request as supervisor.py describes it. Raises ValueError for what no operating system accepts."""
    if isinstance(argv, str) or not argv or not argv[0]:
        raise ValueError("argv must be a list that begins with a program")
    environment = dict(os.environb)
    for name, value in (env or {}).items():
        if not name or "=" in name:
            raise ValueError(f"no environment variable can be called {name!r}")
        environment[os.fsencode(name)] = os.fsencode(value)
    fields = [os.fsencode("." if cwd is None else cwd), b"%d" % len(argv), *map(os.fsencode, argv)]
    fields += [name + b"=" + value for name, value in environment.items()]
    if any(b"\0" in field for field in fields):
        raise ValueError("no argument, directory or environment variable can contain NUL")
    return b"\0".join(fields)
