"""What a log asks of whoever encrypts its payloads."""

from collections.abc import Sequence
from typing import Protocol

from redrive.ledger.database import Row
from redrive.ledger.mapper import NewRow


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
