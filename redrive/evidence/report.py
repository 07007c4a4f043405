"""What verifying a log found."""

from enum import StrEnum

from redrive.forensics.footing import Footing
from redrive.projections.models import Model


class VerifyResult(StrEnum):
    """The answer. VERIFIED is said only when something outside of the database agrees."""

    VERIFIED = "VERIFIED"
    TAMPERED = "TAMPERED"
    SELF_CONSISTENT = "SELF-CONSISTENT"
    STALE = "STALE"
    INCOMPLETE = "INCOMPLETE"

    @property
    def exit_code(self) -> int:
        """What ``redrive verify`` ends with."""
        return list(VerifyResult).index(self)


class Finding(Model):
    """Something that is not as it was written. *kind*: row, column, archive, tile, checkpoint, anchor, view, agenda or
    database. Which leaf, position, stream and version it concerns, as far as that can be told; *exact*: the tree proves
    that it is this one."""

    kind: str
    what: str
    leaf: int | None = None
    position: int | None = None
    stream: str | None = None
    version: int | None = None
    exact: bool = False


class AnchorCheck(Model):
    """What somebody outside of the database says. *kind*: pin, checkpoint (kept by whoever verifies), key, witness,
    timestamp or command; *agrees*: None when nothing that is trusted follows from it; *size* is how many leaves it
    vouches for, *at_ms* the time that it states."""

    kind: str
    name: str
    size: int
    agrees: bool | None
    detail: str
    at_ms: int | None = None


class Compared(Model):
    """What was built anew and compared: *state* is equal, different or skipped."""

    state: str
    detail: str = ""


class VerifyReport(Model):
    """What verifying a log found.

    *size* is the size of its last checkpoint, *matched* how many of those leaves are the rows of the log,
    *last_good_size* that of the last checkpoint that all rows before it agree with. *unsealed* events after *size* are
    protected by nothing yet; the first was recorded at *unsealed_since_ms*. *unanchored* leaves are sealed, but nothing
    outside of the database vouches for them. *regressions* counts events that were recorded earlier than the one
    before. *missing* says what could not be checked; *findings* lists the first of *finding_count*.
    """

    result: VerifyResult
    origin: str
    size: int
    position: int
    log_position: int
    checkpoints: int
    signed_by: tuple[str, ...]
    matched: int
    last_good_size: int
    unsealed: int
    unsealed_since_ms: int | None
    unsealed_for_ms: int
    unanchored: int
    regressions: int
    regression_positions: tuple[int, ...]
    archived: int
    uncompared: int
    views: Compared
    agenda: Compared
    anchors: tuple[AnchorCheck, ...]
    findings: tuple[Finding, ...]
    finding_count: int
    missing: tuple[str, ...]
    stale: tuple[str, ...]
    footing: Footing
