"""What strikes at the statements of one simulated process: armed before a command, it waits for its statement."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redrive.faults.disk import Disk
from redrive.faults.kinds import Kind
from redrive.faults.seam import Faulty, KilledError

if TYPE_CHECKING:
    from redrive.faults.process import Process

_AFTERWARDS = (Kind.KILL_AFTER_STATEMENT, Kind.KILL_AFTER_COMMIT, Kind.LOST_ACKNOWLEDGEMENT, Kind.TORN_COMMIT)


@dataclass(slots=True)
class Armed:
    """A fault that waits for the *countdown*-th statement that it fits, and then strikes *times* in a row."""

    kind: Kind
    countdown: int
    times: int = 1
    rolls_back: bool = False


class Injector:
    """The seam of one process."""

    def __init__(self, process: "Process", strike: Callable[["Process", Kind], None]) -> None:
        self._process, self._strike = process, strike
        self.armed: Armed | None = None
        self._due = False
        self._before: tuple[bytes, bytes] | None = None

    def require_alive(self) -> None:
        """Nothing gets through from a process that is dead."""
        if self._process.dead:
            raise KilledError

    def before(self, connection: Faulty, statement: str) -> None:
        """An armed fault may strike."""
        self.require_alive()
        armed = self.armed
        if armed is None or not connection.fits(armed.kind, statement):
            return
        if armed.countdown > 0:
            armed.countdown -= 1
            return
        if armed.kind in _AFTERWARDS:
            self._due = True
            if armed.kind is Kind.TORN_COMMIT:
                self._before = self._disk().snapshot()
            return
        armed.times -= 1
        if armed.times <= 0:
            self.armed = None
        self._strike(self._process, armed.kind)
        self._fail(armed, connection)

    def after(self, connection: Faulty, _statement: str) -> None:
        """What strikes once the statement has been executed."""
        if not self._due:
            return
        armed, self.armed, self._due = self.armed, None, False
        assert armed is not None
        self._strike(self._process, armed.kind)
        self._fail(armed, connection)

    def disarm(self) -> None:
        """The command is over; what has not struck does not."""
        self.armed, self._due = None, False

    def _fail(self, armed: Armed, connection: Faulty) -> None:
        process, kind = self._process, armed.kind
        match kind:
            case Kind.POWER_CUT:
                process.world.cut_power(self._disk().after_power_cut())
            case Kind.TORN_COMMIT:
                assert self._before is not None
                process.world.cut_power(self._disk().torn_between(self._before, self._disk().snapshot()))
            case Kind.OVERTAKEN | Kind.SLOW_TRANSACTION | Kind.TWO_SWEEPS:
                process.world.let_others_act("sweep" if kind is Kind.TWO_SWEEPS else None)
                if not process.dead:
                    return
            case _:
                if kind is Kind.SERVER_RESTART:
                    process.world.restart_server()
                if (error := connection.failed(kind, rolls_back=armed.rolls_back)) is not None:
                    raise error
                process.dead = True
        raise KilledError

    def _disk(self) -> Disk:
        place = self._process.world.place
        assert isinstance(place, Disk)
        return place
