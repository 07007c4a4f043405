"""How an engine proves what its log says."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from redrive.domain.values import MAX_INTEGER, clean_integer

if TYPE_CHECKING:
    from typing import BinaryIO

    from redrive.domain.records import AnchorRecorded
    from redrive.engine import Engine
    from redrive.evidence.anchors import Anchor
    from redrive.evidence.bundle.handing import ExportReport
    from redrive.evidence.custody import Custody
    from redrive.evidence.policy import VerifyPolicy
    from redrive.evidence.report import VerifyReport
    from redrive.evidence.store import StoredCheckpoint
    from redrive.tenant_effects import Actor


class EvidenceEngine:
    """Seals, anchors and verifies the whole log, for whoever may read all of it."""

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

    def anchor(self, anchor: "Anchor", *, actor: "Actor", reason: str) -> "AnchorRecorded":
        """Seal the log, tell its last checkpoint to *anchor* (PinAnchor, CommandAnchor, WitnessAnchor,
        TimestampAnchor), and record what came back. Raises AnchorFailed, InvalidValue, SealRefused, StorageError."""
        from redrive.domain.identity import human
        from redrive.domain.ports import Caller
        from redrive.evidence.anchors import anchor as told
        from redrive.ledger.ledger import refuse_in_batch

        refuse_in_batch("anchor")
        engine = cast("Engine", self)
        why = engine.services.reason(reason)
        return told(engine, anchor, Caller(None, human(actor), why))

    def verify(
        self,
        policy: "VerifyPolicy | None" = None,
        *,
        checkpoints: Sequence[str | Path] = (),
        views: bool = True,
        agenda: bool = True,
    ) -> "VerifyReport":
        """Verify the whole log: rows against the sealed tree, the tree against what lies outside of the database,
        views and agenda against the log.

        *policy* says what is trusted and demanded (``redrive.read_verify_policy``); *checkpoints* are files with
        checkpoints that were kept. Without *views* or *agenda*, these are not built anew. The result is VERIFIED
        only when something outside of the database agrees. Raises InvalidValue, StorageError.
        """
        from redrive.evidence.policy import VerifyPolicy
        from redrive.evidence.verification import verify

        paths = [Path(path) for path in checkpoints]
        return verify(cast("Engine", self), policy or VerifyPolicy(), checkpoints=paths, views=views, agenda=agenda)

    def export(
        self,
        to: "str | Path | BinaryIO",
        *,
        run: str | None = None,
        positions: tuple[int, int] | None = None,
        since: str | bytes | None = None,
        states: bool = True,
        force: bool = False,
    ) -> "ExportReport":
        """Write an evidence bundle to the path, or open binary file, *to*: the events of *run*, or those at *positions*
        (first, last), with what they name and the proofs that they stand in the log. Everything is sealed first.

        *since* is an earlier checkpoint as it was kept, whole: the bundle then also proves that the log only grew
        since; without run or positions, it holds what was added. Without *states*, it shows that events happened, and
        when, not what they say. A file that is there is replaced only with *force*; a path gets all of the bundle or
        nothing. Raises NotFound for an unknown run, InvalidValue, SealRefused when the log is not what was sealed,
        StorageError.
        """
        from redrive.evidence.bundle.handing import Wanted, export_bundle

        wanted = Wanted(run=run, positions=positions, since=since, states=states)
        return export_bundle(cast("Engine", self), to, wanted, force=force)
