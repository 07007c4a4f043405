"""The storage seam: what stands between an engine and its database, and what both stores have in common there."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from redrive.faults.kinds import Kind

AT_COMMIT = (
    Kind.KILL_BEFORE_COMMIT, Kind.KILL_AFTER_COMMIT, Kind.COMMIT_ERROR, Kind.FSYNC_ERROR, Kind.LOST_ACKNOWLEDGEMENT,
    Kind.TORN_COMMIT,
)  # fmt: skip
AT_BEGIN = (Kind.OVERTAKEN, Kind.TWO_SWEEPS)
AT_LOCK = (Kind.LOCKED, Kind.READ_ONLY)


class KilledError(BaseException):
    """A simulated process is no more; nothing that it still tries reaches the database."""


class Faulty(Protocol):
    """A connection whose statements pass the seam."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open that can still be committed."""

    def fits(self, kind: Kind, statement: str) -> bool:
        """Whether a fault of *kind* may strike here."""

    def failed(self, kind: Kind, *, rolls_back: bool) -> Exception | None:
        """Fail as the database does, and give what it would raise; None where *kind* is no error."""

    def die(self) -> None:
        """Its process was killed: what it had not committed is undone, at once."""

    def close(self) -> None:
        """Close it."""


class Seam(Protocol):
    """Who is asked. What it raises *before*, the statement does not do; *after*, it has done."""

    def require_alive(self) -> None:
        """Raises KilledError when the process is no more."""

    def before(self, connection: Faulty, statement: str) -> None:
        """The statement is about to be executed."""

    def after(self, connection: Faulty, statement: str) -> None:
        """The statement was executed."""


class Outsider(Protocol):
    """A connection of another program."""

    def execute(self, sql: str, parameters: Sequence[Any], /) -> object:
        """Run one statement."""

    def close(self) -> None:
        """Close it."""


class Place(Protocol):
    """Where the log of a simulation lies: new, without an event. Views lie in files."""

    view: Path
    rebuilt: Path

    @property
    def kinds(self) -> Sequence[Kind]:
        """The faults that there are."""

    @property
    def writers(self) -> int:
        """How many processes there may be."""

    @property
    def busy_timeout_ms(self) -> int:
        """How long a lock is waited for, which nobody gives back meanwhile: all share a thread."""

    @property
    def location(self) -> str:
        """What a ledger opens."""

    def through(self, seam: Seam, opened: list[Faulty]) -> AbstractContextManager[None]:
        """Connections that are opened meanwhile pass the seam, and are noted in *opened*."""

    def untouched(self) -> AbstractContextManager[None]:
        """Nothing happens to connections that are opened meanwhile."""

    def connect(self) -> Outsider:
        """A connection without faults, for what another program does to the log."""

    def close(self) -> None:
        """Nothing stays."""
