"""A process that archives and is killed on the way: ``python -m tests.retention.mover FOLDER STEP``."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from redrive.ledger.committer import Committer
from redrive.ledger.transaction import LedgerTransaction
from redrive.retention import archive_file, archiving
from tests.retention.attic import Attic

STEPS: dict[str, tuple[Any, str]] = {
    "before the archive is written": (archive_file.ArchiveWriter, "append"),
    "before it is read back": (archive_file, "read_state"),
    "before anything is emptied": (archiving, "_empty"),
    "before the event": (LedgerTransaction, "append_next"),
    "before the commit": (Committer, "_commit"),
    "after the commit": (archive_file.ArchiveWriter, "close"),
}
"""What the process is killed in front of."""


def die(*_args: object, **_more: object) -> None:
    """As kill -9 does it."""
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Archive what is old, up to a step."""
    attic = Attic(Path(sys.argv[1]))
    attic.age()
    if sys.argv[2] in STEPS:
        where, name = STEPS[sys.argv[2]]
        setattr(where, name, die)
    attic.archive()


if __name__ == "__main__":
    main()
