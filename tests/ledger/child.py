"""What other processes do in these tests, and how they are started."""

import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from redrive.domain.errors import RedriveError
from redrive.domain.identity import RunId
from redrive.processes import operations
from tests.ledger.world import BROKEN, World
from tests.stores import SERVER as SERVER_URL
from tests.stores import STORE

ROOT = Path(__file__).parents[2]
PARTS: dict[str, Callable[..., None]] = {}
MOUTH: list[Connection] = []
MOUNTING = ("unshare", "--mount", "--map-root-user")
SERVER = get_context("forkserver")  # the parts share nothing with the test's process, and start at once
SERVER.set_forkserver_preload([__name__, "tests.engine.outworld"])
BIG = "x" * 4_000
ASKED = ("runs", "queues", "log show 1", "log tail", "runs --at pos:1", "diff pos:1 pos:2", "replay --check", "verify")


class Child:
    """A part that runs in a process of its own."""

    def __init__(self, part: str, *args: object) -> None:
        self._ear, mouth = SERVER.Pipe()
        self.process = SERVER.Process(target=_serve, args=(mouth, part, args, stores()), daemon=True)
        self.process.start()
        mouth.close()

    def hear(self) -> Any:
        """The next thing that it says. Raises EOFError when it has ended."""
        assert self._ear.poll(240), "the child says nothing"
        return self._ear.recv()

    def tell(self) -> None:
        """Let it go on."""
        self._ear.send(None)

    def rest(self) -> list[Any]:
        """All that it still says until it ends."""
        said = []
        with suppress(EOFError, ConnectionResetError):
            while True:
                said.append(self.hear())
        self.process.join()
        self._ear.close()
        return said


def stores() -> dict[str, str]:
    """Where the log of the test lies, for a process: whoever serves was started by another test."""
    return {name: os.environ[name] for name in (STORE, SERVER_URL) if name in os.environ}


def run(part: str, *args: object) -> list[Any]:
    """Run a part to its end, which must be a good one."""
    child = Child(part, *args)
    said = child.rest()
    assert child.process.exitcode == 0, said
    return said


def run_mounting(part: str, path: Path) -> list[Any]:
    """The same where it may mount disks of its own."""
    argv = [*MOUNTING, sys.executable, "-m", "tests.ledger.child", part, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, cwd=ROOT, env=environment, check=True, capture_output=True, text=True, timeout=240)
    return [json.loads(line) for line in done.stdout.splitlines()]


def part(function: Callable[..., None]) -> Callable[..., None]:
    """Register a part."""
    PARTS[function.__name__] = function
    return function


def _serve(mouth: Connection, part: str, args: tuple[object, ...], stores: dict[str, str]) -> None:
    os.environ.update(stores)
    MOUTH.append(mouth)
    PARTS[part](*map(str, args))


def say(value: object) -> None:
    """Tell the parent."""
    if MOUTH:
        MOUTH[0].send(value)
    else:
        print(json.dumps(value), flush=True)  # noqa: T201


def wait() -> None:
    """Wait until the parent says go on."""
    MOUTH[0].recv()


def outcome(call: Callable[[], object]) -> str:
    """The class and text of the error that *call* raised, or an empty text."""
    try:
        call()
    except RedriveError as error:
        return f"{type(error).__name__}: {error}"
    return ""


@part
def commit(path: str, name: str) -> None:
    """Submit runs for ever, and tell the id of each that was acknowledged."""
    world = World(path)
    for n in range(1_000_000):
        say(world.submit(f"{name}-{n}"))


@part
def hold(path: str) -> None:
    """Hold the write lock until the parent says go on."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    say("locked")
    wait()


def lower(limit: int) -> None:
    """From now on no file may grow beyond *limit* bytes; compiled modules, which others read, are not tried."""
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@part
def fill(path: str, spare: str, batch: str) -> None:
    """Write until no file may grow any more; then there is room again."""
    world = World(path)
    target = world.submit("target")
    while int(spare) > 1_000_000 and Path(path).stat().st_size < 4_500_000:  # so that the checkpoint fails first
        world.together(*[operations.noting_run(target, BIG)] * 100)
    sizes = [Path(name).stat().st_size for name in (path, f"{path}-wal")]
    lower(max(sizes) + (int(spare) if int(spare) < 1_000_000 else 64_000))
    write_until_full(world, target, int(batch))
    lower(resource.RLIM_INFINITY)
    go_on(world, target)


@part
def fill_disk(path: str) -> None:
    """The same on a small disk of its own, mounted where only this process and its children see it."""
    folder = Path(path).parent
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=True)
    world = World(path)
    target = world.submit("target")
    ballast = folder / "ballast"
    ballast.write_bytes(b"x" * 1_000_000)
    write_until_full(world, target, 20)
    ballast.unlink()
    go_on(world, target)


def write_until_full(world: World, target: RunId, batch: int) -> None:
    """Submit and note until a StorageError comes; again and again; tell what was acknowledged."""
    acknowledged, errors = [target], []
    for n in range(2_000):
        jobs = world.together(*[operations.noting_run(target, BIG)] * batch)
        errors += [error for error in (outcome(job.result) for job in jobs[:1]) if error]
        error = outcome(lambda n=n: acknowledged.append(world.submit(f"run-{n}")))  # type: ignore[misc]
        errors += [error] if error else []
        if len(errors) > 6:
            break
    say({"acknowledged": acknowledged, "errors": errors})


def go_on(world: World, target: RunId) -> None:
    """There is room again: the same process goes on, and so does the next."""
    after = [world.submit("after"), world.submit("after that")]
    world.note(target)
    world.check()
    begun = [e.stream for e in world.log() if e.topic == "run.submitted"]
    world.ledger.close()
    again = World(world.path)
    again.check()
    intact = again.ledger.recorder.writer.execute("PRAGMA integrity_check").fetchone()[0]
    say({"after": after, "begun": begun, "intact": intact, "count": again.ledger.last_position()})


@part
def read_only(path: str) -> None:
    """As a user without any rights, open and write."""
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    say(outcome(lambda: World(path).submit("a")))


@part
def ask_a_read_only_disk(path: str) -> None:
    """As ``ask``, where nobody may write to the folder of the log."""
    folder = str(Path(path).parent)
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    ask(path)


@part
def ask(path: str, *commands: str) -> None:
    """As a user who may write nothing but views, ask the log; tell exit codes and what is printed."""
    from click.testing import CliRunner

    from redrive.cli.root import cli

    def asked(log: str) -> list[list[object]]:
        done = ((line, CliRunner().invoke(cli, ["--db", f"sqlite:///{log}", *line.split()])) for line in lines)
        return [[line, result.exit_code, result.output] for line, result in done]

    lines, state = commands or ASKED, mkdtemp()
    asked(shutil.copy(path, f"{state}/copy.db"))  # modules are imported now: others may not read them
    Path(state).chmod(0o777)
    os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = state
    if os.getuid() == 0 and commands:
        os.setgid(65534)
        os.setuid(65534)
    for answer in asked(path):
        say(answer)


class Real(World):
    """A world that lives in real time."""

    @property
    def now(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    @now.setter
    def now(self, _value: int) -> None:
        pass


@part
def share(path: str, name: str, count: str) -> None:
    """Submit runs, and work on anybody's until all is done: the first try fails, the second succeeds."""
    world = Real(path)
    say({"opened": name})
    wait()
    for n in range(int(count)):
        say({"submitted": world.submit(f"{name}-{n}")})
        turn(world)
    while any(row.due_ms is not None for row in world.ledger.agenda_rows()):
        turn(world)


def turn(world: World) -> None:
    """Claim up to two runs and report on them."""
    for claim in world.claim(2):
        say({"claimed": claim.run_id, "epoch": claim.epoch})
        for attempt in claim.attempts:
            if attempt.number == 1:
                world.fail(attempt, BROKEN)
            else:
                world.complete(attempt, {"by": "me"})


if __name__ == "__main__":
    PARTS[sys.argv[1]](*sys.argv[2:])
