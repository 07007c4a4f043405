"""A simulated process: an engine of its own on the shared log, what it holds in memory, and how it dies."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from redrive.domain.classifier import Classifier
from redrive.domain.effect import events as f
from redrive.domain.errors import StorageError
from redrive.domain.event import Recorded
from redrive.domain.redaction import Redactor
from redrive.domain.run.holder import Holder
from redrive.engine import Engine
from redrive.faults.flows import flows, poisoned, policy_of
from redrive.faults.injector import Injector
from redrive.faults.seam import Faulty, KilledError
from redrive.ledger.ledger import LogLedger
from redrive.ledger.seams import nonces, ticking
from redrive.processes.handout import Attempt, Claim
from redrive.processes.services import Services
from redrive.projections.view import View
from redrive.tenant_engine import TenantEngine

if TYPE_CHECKING:
    from redrive.faults.world import World

CACHE_BYTES = 32 * 1024 * 1024
_NO_VIEW = cast(View, None)  # commands ask no view; who looks uses the world's


class Process:
    """One of those that share the log. Its engine lives from ``start`` to ``bury`` or ``stop``."""

    def __init__(self, world: "World", number: int) -> None:
        self.world, self.number, self.name = world, number, f"p{number}"
        self.engine: Engine | None = None
        self.tenant: TenantEngine | None = None
        self.version = "1"
        self.dead = False
        self.skew_ms = 0
        self.claims: list[Claim] = []
        self.attempts: list[Attempt] = []
        self.injector = Injector(self, world.struck)
        self._connections: list[Faulty] = []

    def run(self, act: Callable[["Process"], None]) -> None:
        """Have it act; what it does ends when it is killed."""
        with self._inside():
            try:
                if self.engine is None:
                    self.start()
                if self.engine is not None:
                    act(self)
            except KilledError:
                self.dead = True
            finally:
                self.injector.disarm()
            if self.dead:
                self.bury()

    def start(self) -> None:
        """Open the log, as a fresh process would; storage may fail, and then it tries again later."""
        world = self.world
        self.dead = False
        try:
            ledger = LogLedger(
                world.place.location,
                clock=self.now_ms,
                dice=world.engine_dice.random,
                engine=self.version,
                cache_bytes=CACHE_BYTES,
                busy_timeout_ms=world.place.busy_timeout_ms,
                listeners=[self._told],
            )
        except StorageError:
            self._drop()
            return
        if (bell := ledger.recorder.bell) is not None:
            bell.close()  # it rings in a thread of its own, whenever it likes; who looks at the agenda needs no bell
        services = Services(
            ledger=ledger,
            policy_of=lambda run: policy_of(run.automation),
            classifier=Classifier(),
            redactor=Redactor(),
            engine=self.version,
            holder=Holder("simulated", "boot", "namespace", self.number, 0),
        )
        for flow in (*flows(), poisoned()):
            ledger.committer.states.flows.remember(flow)  # as if it had seen them before: reading them again takes long
        self.engine = Engine(ledger, services, _NO_VIEW)
        self.tenant = self.engine.local

    def stop(self) -> None:
        """Close the log in good order."""
        assert self.engine is not None
        self.engine.ledger.close()
        self._drop()

    def bury(self) -> None:
        """What is left of a killed process is gone: its memory, and whatever it had not committed."""
        self.die()
        self._drop()
        self.world.buried(self)

    def die(self) -> None:
        """The kernel closes its files: from here on nothing that it tries reaches the database."""
        self.dead = True
        self.lose_connections()
        self._connections.clear()

    def lose_connections(self) -> None:
        """The server ends them; the process goes on, on the same ones made anew."""
        for connection in self._connections:
            connection.die()

    def now_ms(self) -> int:
        """The time by this process's clock."""
        return self.world.now_ms + self.skew_ms

    def _told(self, events: Sequence[Recorded]) -> None:
        """After a commit: whoever is told may rely on it."""
        self.world.told += [(event.position, event.event_id) for event in events]
        for recorded in events:
            match recorded.event:
                case f.EffectSucceeded() | f.EffectReconciled(outcome="succeeded"):
                    self.world.service.recorded.add(recorded.stream)

    def _drop(self) -> None:
        self.engine = self.tenant = None
        self.claims, self.attempts = [], []
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        """The engine code that runs now belongs to this process."""
        nonce, tick = nonces.set(self.world.nonce), ticking.set(self.world.elapsed_s)
        self.world.acting.append(self)
        try:
            with self.world.place.through(self.injector, self._connections):
                yield
        finally:
            self.world.acting.pop()
            ticking.reset(tick)
            nonces.reset(nonce)
