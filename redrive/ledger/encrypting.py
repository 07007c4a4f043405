"""What a log asks of whoever encrypts its payloads."""

from collections.abc import Sequence
from typing import Protocol

from redrive.domain.errors import PayloadLocked
from redrive.ledger.database import Row
from redrive.ledger.mapper import NewRow

_BEGINS = ("run.submitted/", "effect.intended/", "effect.withheld/")


def begun_in(rows: Sequence[NewRow]) -> dict[str, NewRow]:
    """Those of *rows* with which begins what has a key, by their streams."""
    return {row[0]: row for row in rows if row[1] == 1 and row[0] == row[5] and row[2].startswith(_BEGINS)}


def require_none_in_plain(rows: Sequence[NewRow]) -> None:
    """Raises PayloadLocked where something begins: its payloads would be written in plain."""
    for stream in begun_in(rows):
        raise PayloadLocked(stream, begins=True)


class Encrypting(Protocol):
    """Encrypts payloads on their way into the log, and decrypts them on their way out."""

    @property
    def generation(self) -> int:
        """Rises when keys may have gone."""

    @property
    def erasures(self) -> int | None:
        """How many keys are destroyed for good; None while one is being destroyed."""

    def encrypt(self, rows: Sequence[NewRow], subject: str | None) -> list[NewRow]:
        """The rows as they are to be stored."""

    def decrypted(self, rows: list[Row]) -> list[Row]:
        """The rows as they were before they were encrypted."""

    def forget_begun(self) -> None:
        """What was encrypted is not written."""
