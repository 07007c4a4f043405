"""Runs one command that, with all its descendants, never outlives redrive, not even a redrive killed with -9.

A program of its own: ``python -I -S supervisor.py CONTROL_FD PARENT_PID``. It imports nothing of redrive and as little
else as it can, because every command pays for its start. CONTROL_FD is one end of a socket pair whose other end only
redrive holds, so that its end of file says, whatever the reason, that redrive is gone.

===================  ====================================================================================
redrive → here       8 bytes of length, then the request, separated by NUL: working directory, number of
                     arguments, the arguments, NAME=value of the whole environment. Later ``T``: SIGTERM
                     to the command's process group; ``K``: kill everything; end of file: likewise.
here → redrive       a line each: ``started PID``, then ``exit N``, ``signal N`` or ``error TEXT``, sent
                     only when nothing of the command is alive any more.
===================  ====================================================================================

On Linux orphans are adopted (PR_SET_CHILD_SUBREAPER), therefore "no child left" means "no descendant left", also when
they called setsid or forked twice; and the command dies with its supervisor (PR_SET_PDEATHSIG). Elsewhere what remains
is the process group.
"""
# pathlib would double the start-up time.
# ruff: noqa: PTH113, PTH114, PTH115, PTH123, PTH208

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

ORPHANED = 125  # exit status when redrive went away
PIPE_BYTES = 4_096
PATIENCE_S = 10.0  # how long to try to kill what cannot be killed: uninterruptible sleep, another user's process

# Meant for redrive, which then closes the line; dying of them here would free the command's descendants.
DEAF_TO = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE)


def prctl(option: int, value: int) -> bool:
    """Ask the kernel; False where there is no prctl."""
    if sys.platform != "linux":
        return False
    import ctypes  # noqa: PLC0415 - a third of the start-up time, and of no use elsewhere

    try:
        return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def main(control: int, parent: int) -> int:
    """Serve one command; return the exit status of this process, which is the command's where it has one."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # a thread of the host may have blocked SIGCHLD
    os.set_inheritable(control, False)
    return Supervisor(control, parent).serve()


class Supervisor:
    """One command from its request to its report."""

    def __init__(self, control: int, parent: int) -> None:
        self.control, self.parent = control, parent
        self.command = 0  # process id, and process group id, of the command
        self.status: int | None = None  # as waitpid gives it
        self.early = b""  # orders that came together with the request
        self.terminating = False
        self.adopts = prctl(PR_SET_CHILD_SUBREAPER, 1)
        self.wake = wake_on_child()
        self.gone = pidfd_of(parent)
        self.poll = select.poll()
        for fd in (self.control, self.wake, self.gone):
            if fd >= 0:
                self.poll.register(fd, select.POLLIN)

    def serve(self) -> int:
        """Start the command and stay until nothing of it is left."""
        null = os.open(os.devnull, os.O_RDWR)
        request = self.receive()
        if request is None or os.getppid() != self.parent:
            return ORPHANED
        errors = self.start(request)
        for fd in (0, 1, 2):  # the command's: held here they would never reach their end
            os.dup2(null, fd)
        wanted = self.command == 0 or self.watch()
        self.kill_all()
        if not wanted:
            return ORPHANED
        with contextlib.suppress(BlockingIOError):  # held open by a command that could not be killed
            return self.report(os.read(errors, PIPE_BYTES))
        return ORPHANED

    def receive(self) -> list[bytes] | None:
        """The request, or None when redrive died before it was complete."""
        message, size = b"", 8
        while len(message) < size:
            ready = [fd for fd, _ in self.poll.poll()]
            chunk = b"" if self.gone in ready else self.hear()
            if not chunk:
                return None
            message += chunk
            size = 8 + int.from_bytes(message[:8], "big") if len(message) >= 8 else 8
        self.early = message[size:]
        return message[8:size].split(b"\0")

    def hear(self) -> bytes:
        """What redrive says; nothing when it is gone (reset: it left without reading all we said)."""
        try:
            return os.read(self.control, 1 << 16)
        except ConnectionResetError:
            return b""

    def say(self, line: str) -> bool:
        """Tell redrive; False when it is gone."""
        with contextlib.suppress(OSError):
            return os.write(self.control, line.replace("\n", " ").encode("utf-8", "backslashreplace") + b"\n") > 0
        return False

    def start(self, request: list[bytes]) -> int:
        """Fork the command; return a pipe that carries what kept it from starting, and is empty otherwise."""
        cwd, count, *rest = request
        argv, env = rest[: int(count)], dict(pair.split(b"=", 1) for pair in rest[int(count) :])
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        own = os.getpid()
        # Blocked signals wait: a SIGTERM that comes before the command has its own dispositions is not lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self.command = os.fork() or become(cwd, argv, env, own, self.control, writer)
        except OSError as problem:
            os.write(writer, f"cannot start a process: {problem.strerror}".encode())
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.close(writer)
        return reader

    def watch(self) -> bool:
        """Wait until the command ended (True) or must be killed; True as long as redrive wants a report."""
        orders = self.early
        while b"K" not in orders:
            if orders:
                self.terminate()
            if self.ended():
                break
            ready = [fd for fd, _ in self.poll.poll(50 if self.status is not None else None)]
            orders = self.hear() if self.control in ready else b""
            if self.gone in ready or (self.control in ready and not orders):
                return False
        return True

    def ended(self) -> bool:
        """The command is gone and, when it was asked to end, so is its group, which has the same grace."""
        self.reap()
        return self.status is not None and not (self.terminating and signal_group(self.command, 0))

    def terminate(self) -> None:
        """Ask the group to end; the command itself when it has no group yet."""
        self.terminating = True
        if not signal_group(self.command, signal.SIGTERM) and self.status is None:
            os.kill(self.command, signal.SIGTERM)  # not reaped, so the number is still its own

    def reap(self) -> bool:
        """Bury the dead; True while children, own or adopted, are left."""
        drain(self.wake)
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self.command:
                    self.status = status
        return False

    def kill_all(self) -> None:
        """Kill until no descendant is left.

        Only children are killed, and their groups: nobody but this process can free the number of a child, so none is
        mistaken for another. Grandchildren become children as soon as their parent is dead.
        """
        if self.command and (self.status is None or not self.adopts):
            signal_group(self.command, signal.SIGKILL)
        give_up_at = time.monotonic() + PATIENCE_S
        sleeper = select.poll()
        sleeper.register(self.wake, select.POLLIN)
        while self.reap() and time.monotonic() < give_up_at:
            for pid in children() or [self.command] * (self.status is None):
                kill_child(pid)
            sleeper.poll(5)

    def report(self, problem: bytes) -> int:
        """Tell redrive how the command ended."""
        if problem:
            self.say("error " + problem.decode("utf-8", "replace"))
            return ORPHANED
        # Without a status it hangs in the kernel, where a signal that is already sent will end it.
        code = -signal.SIGKILL if self.status is None else os.waitstatus_to_exitcode(self.status)
        self.say(f"exit {code}" if code >= 0 else f"signal {-code}")
        return code if code >= 0 else 128 - code


def become(cwd: bytes, argv: list[bytes], env: Mapping[bytes, bytes], parent: int, say: int, errors: int) -> NoReturn:
    """Turn the forked process into the command, told to redrive before it runs; what prevents it goes into *errors*."""
    what, name = "working directory", cwd
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(ORPHANED)
        os.write(say, b"started %d\n" % os.getpid())
        for number in (*DEAF_TO, signal.SIGCHLD, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if cwd != b".":
            os.chdir(cwd)
        what, name = "command", argv[0]
        os.execvpe(argv[0], argv, env)  # noqa: S606 - a shell is the user's choice
    except (OSError, ValueError) as problem:
        # No more than the pipe holds, for nobody reads it yet.
        os.write(errors, explain(problem, what, os.fsdecode(name)).encode("utf-8", "backslashreplace")[:PIPE_BYTES])
    finally:
        os._exit(ORPHANED)


def explain(problem: OSError | ValueError, what: str, name: str) -> str:
    """The sentence for a command that did not start."""
    if isinstance(problem, (FileNotFoundError, NotADirectoryError)):
        if "/" in name and os.path.isfile(name):
            return f"{what} not executable: {name}: its interpreter is missing"
        return f"{what} not found: {name}"
    reason = (problem.strerror if isinstance(problem, OSError) else None) or str(problem)
    return f"{what} not {'executable' if what == 'command' else 'usable'}: {name}: {reason}"


def wake_on_child() -> int:
    """A pipe that becomes readable when a child ended; other signals are ignored."""
    for number in DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return reader


def drain(fd: int) -> None:
    """Empty a pipe that does not block."""
    with contextlib.suppress(BlockingIOError):
        while os.read(fd, 4096):
            pass


def pidfd_of(pid: int) -> int:
    """A descriptor that becomes readable when *pid* ends, or -1 where there is none.

    The end of file alone would be late when the host forked a copy of itself, which holds redrive's end as well.
    """
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; False when it has no member."""
    with contextlib.suppress(PermissionError):  # there are some; they are not ours to signal
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            return False
    return True


def kill_child(pid: int) -> None:
    """Kill a child and its group, which holds only descendants: the command began in a session of its own."""
    with contextlib.suppress(OSError):
        if (group := os.getpgid(pid)) != os.getpgrp():
            os.killpg(group, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)


def children() -> list[int]:
    """The process ids of the children; empty where /proc is absent or shows another namespace's numbers."""
    me = os.getpid()
    if not os.path.islink("/proc/self") or os.readlink("/proc/self") != str(me):
        return []
    with contextlib.suppress(OSError), open(f"/proc/{me}/task/{me}/children", "rb") as listed:
        return [int(pid) for pid in listed.read().split()]
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:
            if int(stat.read().rpartition(b")")[2].split()[1]) == me:  # the name before may hold anything
                found.append(int(name))
    return found


if __name__ == "__main__":
    os._exit(main(int(sys.argv[1]), int(sys.argv[2])))
