"""What an engine can tell of the past, and how it proves it: nothing here changes what happened."""

from typing import TYPE_CHECKING

from redrive.domain.values import MAX_INTEGER, clean_integer

if TYPE_CHECKING:
    from redrive.evidence.custody import Custody
    from redrive.evidence.store import StoredCheckpoint


class ForensicEngine:
    """The forensic queries of an engine: about the whole log, for whoever may read all of it."""

    evidence: "Custody"

    def seal(self) -> "StoredCheckpoint | None":
        """Seal every event there is, now; the checkpoint that covers them, None while the log is empty.

        Raises SealRefused when the tree, its last checkpoint and the pinned one disagree; StorageError.
        """
        return self.evidence.seal()

    def await_sealed(self, position: int | None = None, *, timeout_ms: int = 10_000) -> "StoredCheckpoint | None":
        """Return once the event at *position* (None: the last one there is) is sealed: for an action that must not be
        denied later. It seals by itself when nobody else does. Raises SealRefused, StorageError."""
        if position is not None:
            clean_integer(position, "position", 0, MAX_INTEGER)
        return self.evidence.await_sealed(position, clean_integer(timeout_ms, "timeout_ms", 0, 86_400_000))
