"""What a forensic report stands on: which log, up to where, sealed or not, and read by which code."""

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from redrive import __version__
from redrive.projections.fold import fingerprint

if TYPE_CHECKING:
    from redrive.engine import Engine


class Footing(BaseModel):
    """The last line of every forensic report. *origin* is the id of the log, *position* the last position that was
    read, *seal* whether it is covered by a checkpoint, *code* the version of redrive and of its projections."""

    model_config = ConfigDict(frozen=True)

    origin: str
    position: int
    seal: str
    code: str


def footing(engine: "Engine", position: int) -> Footing:
    """What a report about the log up to *position* stands on."""
    code = f"redrive {__version__}, views {fingerprint()[:8]}"
    return Footing(origin=engine.ledger.id, position=position, seal=seal_status(engine, position), code=code)


def seal_status(_engine: "Engine", _position: int) -> str:
    """Whether the log up to *position* is covered by a checkpoint, and by a signed one."""
    return "unsealed"
