"""What a forensic report stands on: which log, up to where, sealed or not, and read by which code."""

from typing import TYPE_CHECKING

from redrive import __version__
from redrive.evidence.notes import names_of
from redrive.projections.fold import fingerprint
from redrive.projections.models import Model

if TYPE_CHECKING:
    from redrive.engine import Engine


class Footing(Model):
    """The last line of every forensic report. *origin* is the id of the log, *position* the last position that was
    read, *seal* whether it is covered by a checkpoint, *code* the version of redrive and of its projections."""

    origin: str
    position: int
    seal: str
    code: str

    def __str__(self) -> str:
        return f"log {self.origin}, position {self.position}, {self.seal}; {self.code}"


def footing(engine: "Engine", position: int) -> Footing:
    """What a report about the log up to *position* stands on."""
    code = f"redrive {__version__}, views {fingerprint()[:8]}"
    return Footing(origin=engine.ledger.id, position=position, seal=seal_status(engine, position), code=code)


def seal_status(engine: "Engine", position: int) -> str:
    """Whether the log up to *position* is covered by a checkpoint, and by a signed one. It says what is stored:
    whether that agrees with the rows, only ``verify`` tells."""
    last = engine.evidence.store.last()
    if last is None:
        return "unsealed"
    if position <= last.position:
        signed_by = ", ".join(names_of(last.note))
        return (
            f"sealed by checkpoint {last.size} (signed by {signed_by})"
            if signed_by
            else f"sealed, unsigned: checkpoint {last.size}"
        )
    rest = position - last.position
    return f"unsealed: {rest} event{'' if rest == 1 else 's'} after checkpoint {last.size}"
