"""The world of a simulation: clock, dice, disk, processes, and whose turn it is."""

import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from redrive.domain.errors import Conflict, NotFound, Refused, StorageError
from redrive.domain.identity import DeadLetterId, RunId
from redrive.engine import Engine
from redrive.faults.acknowledged import Acknowledged, Key
from redrive.faults.disk import Disk
from redrive.faults.injector import Armed
from redrive.faults.kinds import AT_STATEMENTS, Kind
from redrive.faults.process import Process
from redrive.faults.seam import Place
from redrive.faults.service import Service
from redrive.ledger.ledger import LogLedger
from redrive.projections.view import View
from redrive.tenant_engine import TenantEngine

BEGIN_MS = 1_700_000_000_000
WRITERS, LIKELY = (2, 3, 4, 8, 16, 32, 64), (40, 26, 20, 8, 3, 2, 1)
MOST_TRACED = 60
MOST_NESTED = 2
Act = Callable[[Process], None]


def _nothing(_answer: object) -> Iterable[Key]:
    return ()


class World:
    """All that one seed decides. *kinds* are the faults that may happen, as far as there are such at *place*."""

    def __init__(self, seed: int, kinds: Sequence[Kind], place: Place) -> None:
        self.seed, self.kinds, self.place = seed, frozenset(kinds).intersection(place.kinds), place
        self.dice = random.Random(f"{seed}/schedule")
        self.engine_dice = random.Random(f"{seed}/engine")
        self.now_ms = BEGIN_MS
        self._elapsed_ms = 0
        self.rate = self.dice.choice((0.03, 0.08, 0.15, 0.3))
        (writers,) = self.dice.choices(WRITERS, LIKELY)
        self.service, self.acknowledged = Service(), Acknowledged()
        self.runs: list[RunId] = []
        self.asking: list[RunId] = []
        self.mail: list[tuple[str, Act]] = []
        self.foreign: set[str] = set()
        self.told: list[tuple[int, str]] = []
        self.injected: Counter[Kind] = Counter()
        self.commands: Counter[str] = Counter()
        self.trace: deque[str] = deque(maxlen=MOST_TRACED)
        self.acting: list[Process] = []
        self.acts: Mapping[str, Act] = {}
        self.names: Sequence[str] = ()
        self.weights: Sequence[int] = ()
        self._nonces = 0
        self.observer = self._observe()
        self._view: View | None = None
        self.processes = [Process(self, number) for number in range(min(writers, place.writers))]
        self.statement_kinds = [kind for kind in AT_STATEMENTS if kind in self.kinds]

    def step(self, wanted: str | None = None) -> None:
        """One process acts; it may be struck meanwhile. *wanted*: what it does, when that is not for the dice."""
        idle = [process for process in self.processes if process not in self.acting]
        if not idle:
            return
        name = wanted or self.dice.choices(self.names, self.weights)[0]
        busy = [process for process in idle if process.attempts] if name == "work" else idle
        process = self.dice.choice(busy or idle)
        self._arm(process)
        self.trace.append(f"{'  ' * len(self.acting)}{process.name} {name if process.engine else 'starts'}")
        process.run(self.acts[name])
        self.pass_time()

    def let_others_act(self, wanted: str | None = None) -> None:
        """Others act while the one whose turn it is stands at a statement."""
        if len(self.acting) <= MOST_NESTED:
            for _ in range(1 if wanted else self.dice.randint(1, 3)):
                self.step(wanted)

    def pass_time(self) -> None:
        """Mostly a moment; now and then long enough for backoffs and leases to end."""
        (passed,) = self.dice.choices((0, self.dice.randint(1, 100), 2_000, 10_000), (30, 40, 20, 10))
        self.now_ms += passed
        self._elapsed_ms += passed

    def elapsed_s(self) -> float:
        """The time that has passed, whatever clocks say."""
        return self._elapsed_ms / 1000

    def may(self, kind: Kind, chance: float = 1.0) -> bool:
        """Whether a fault that an actor brings about happens now."""
        return kind in self.kinds and self.dice.random() < chance * self.rate

    def struck(self, process: Process, kind: Kind) -> None:
        """A fault happens."""
        self.injected[kind] += 1
        self.trace.append(f"{'  ' * len(self.acting)}! {process.name}: {kind}")

    def nonce(self) -> str:
        """What the ids of the next transaction's events begin with: the same whenever this seed is simulated."""
        self._nonces += 1
        return f"{self._nonces:020x}"

    def cut_power(self, files: tuple[bytes, bytes]) -> None:
        """Every process dies at once, and the disk is what *files* say."""
        self._blind()
        for process in self.processes:
            if process.engine is not None or process in self.acting:
                process.die()  # those that act learn of it at their next statement
                if process not in self.acting:
                    process.bury()
        assert isinstance(self.place, Disk)
        self.place.restore(files)
        self.observer = self._observe()

    def restart_server(self) -> None:
        """Every process loses its connections, and what it had not committed."""
        for process in self.processes:
            process.lose_connections()

    def buried(self, process: Process) -> None:
        """A process was killed."""
        self.trace.append(f"{'  ' * len(self.acting)}x {process.name} is dead")

    def give(self, told: str, command: Callable[[], Any], promises: Callable[[Any], Iterable[Key]] = _nothing) -> Any:
        """Give a command; None when it was refused, or when nobody knows whether it took place."""
        self.commands["given"] += 1
        try:
            answer = command()
        except (Refused, NotFound, Conflict) as refused:
            self._note("refused", f"{told}: {type(refused).__name__}")
            return None
        except StorageError as error:
            self._note("failed", f"{told}: {str(error).partition(': ')[2][:60]}")
            return None
        self._note("acknowledged", told)
        self.acknowledged.promise(promises(answer), told)
        return answer

    def give_marked(self, name: str, command: Callable[[str], Any]) -> Any:
        """Give a command with a reason that finds it in the log again."""
        mark = self.acknowledged.mark()
        heard = len(self.told)
        answer = self.give(f"{name} ({mark})", lambda: command(mark))
        if answer is not None and len(self.told) > heard:
            self.acknowledged.kept(mark)
        return answer

    def letters(self) -> list[DeadLetterId]:
        """The dead letters there are, as anybody can read them."""
        query = "SELECT originator_id FROM events WHERE originator_version = 1 AND topic LIKE 'dead-letter.opened/%'"
        return [DeadLetterId(row[0]) for row in self.observer.recorder.reader().execute(query).fetchall()]

    def close(self) -> None:
        """Nobody looks any more, and nobody holds a lock that is in the way of whoever tidies up."""
        for process in self.processes:
            process.die()
        self._blind()

    @property
    def rebuilt(self) -> Path:
        """Where another view may be folded."""
        return self.place.rebuilt

    @property
    def live_view(self) -> View:
        """The view that all of them share, and that follows the log."""
        if self._view is None:
            self._view = View(self.observer, str(self.place.view))
        return self._view

    def _observe(self) -> LogLedger:
        """Open the log for somebody who looks at it, and to whom nothing happens."""
        with self.place.untouched():
            ledger = LogLedger(
                self.place.location,
                clock=lambda: self.now_ms,
                dice=lambda: 0.5,
                engine="1",
                busy_timeout_ms=self.place.busy_timeout_ms,
            )
            ledger.last_position()  # who reads has connected
        return ledger

    def _blind(self) -> None:
        """Nobody looks any more."""
        if self._view is not None:
            self._view.close()
            self._view = None
        self.observer.close()

    def _arm(self, process: Process) -> None:
        if not self.statement_kinds or self.dice.random() >= self.rate:
            return
        kind = self.dice.choice(self.statement_kinds)
        process.injector.armed = Armed(
            kind,
            countdown=self.dice.randrange(12) if "statement" in kind or "transaction" in kind else 0,
            times=self.dice.randint(1, 3) if kind is Kind.DISK_FULL else 1,
            rolls_back=self.dice.random() < 0.5,
        )

    def _note(self, outcome: str, told: str) -> None:
        self.commands[outcome] += 1
        self.trace.append(f"{'  ' * len(self.acting)}{told} -> {outcome}")


def engine_of(process: Process) -> Engine:
    """The engine of a process that runs."""
    assert process.engine is not None
    return process.engine


def tenant_of(process: Process) -> TenantEngine:
    """What a process gives its commands to."""
    assert process.tenant is not None
    return process.tenant
