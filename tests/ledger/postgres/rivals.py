"""What other processes do in these tests."""

import contextlib
import os
from collections.abc import Callable
from multiprocessing.connection import Connection

from redrive.domain.errors import StorageError
from redrive.ledger.postgres.recorder import PostgresRecorder
from redrive.ledger.transaction import LedgerTransaction
from redrive.processes import leases
from redrive.processes.claimant import Claimant
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


def stopping_at_commit(path: str, committed: str) -> None:
    """Submit a run, and another one that stops for ever before its commit, or before that is flushed."""
    world = World(path)
    say(world.submit("first"))
    recorder = world.ledger.recorder
    assert isinstance(recorder, PostgresRecorder)

    def stop() -> None:
        recorder.writer.execute("COMMIT" if committed else "SELECT 1")  # with what was kept back
        say("stopped")
        wait()

    recorder.commit = stop  # type: ignore[method-assign]
    world.submit("second")


def claiming_until_none(path: str, name: str) -> None:
    """Claim one run after the other, when told to, until there is none; say which, the oldest first."""
    world = World(path, busy_timeout_ms=60_000)
    say("open")
    wait()
    while claims := world.do(leases.claiming(Claimant(name), 1)):
        say(claims[0].run_id)
    world.ledger.close()


def stopping_while_it_claims(path: str) -> None:
    """Stop for ever once it is decided to claim the oldest run."""
    world = World(path)

    def stop(tx: LedgerTransaction) -> None:
        say(leases.claiming(Claimant("w"), 1)(tx)[0].run_id)
        wait()

    world.do(stop)
