"""What other processes do in these tests."""

import contextlib
import os
from collections.abc import Callable
from multiprocessing.connection import Connection

from redrive.domain.errors import StorageError
from tests.ledger.child import MOUTH, SERVER, Child, say, wait
from tests.ledger.world import World
from tests.stores import SERVER as URL
from tests.stores import STORE, STORES

Part = Callable[..., None]


class Rival(Child):
    """A function that runs in a process of its own, on the server of the test."""

    def __init__(self, part: Part, *args: object) -> None:
        self._ear, mouth = SERVER.Pipe()
        self.process = SERVER.Process(target=_serve, args=(mouth, os.environ[URL], part, args), daemon=True)
        self.process.start()
        mouth.close()


def _serve(mouth: Connection, url: str, part: Part, args: tuple[object, ...]) -> None:
    os.environ[STORE], os.environ[URL] = STORES[1], url
    MOUTH.append(mouth)
    part(*args)


def submitting(path: str, name: str, count: int) -> None:
    """Submit so many runs, when told to."""
    world = World(path)
    say("open")
    wait()
    for n in range(count):
        world.submit(f"{name}-{n}")
    world.ledger.close()


def submitting_for_ever(path: str, name: str) -> None:
    """Submit runs until killed, through whatever happens; say which were acknowledged."""
    world = World(path, busy_timeout_ms=20_000)
    say("open")
    n = 0
    while True:
        n += 1
        with contextlib.suppress(StorageError):
            say(world.submit(f"{name}-{n}"))


def stopping_before(path: str, call: str) -> None:
    """Submit a run, and stop for ever in front of a *call* to the recorder that belongs to another."""
    world = World(path)
    say(world.submit("first"))
    say(world.ledger.recorder.writer.raw.info.backend_pid)  # type: ignore[attr-defined]

    def stop(*_: object) -> None:
        say("stopped")
        wait()

    if call == "commit":
        world.ledger.recorder.commit = stop  # type: ignore[method-assign]
    else:
        world.ledger._tell = stop  # type: ignore[method-assign]
        world.ledger.committer._after_commit = stop
    world.submit("second")
