"""What is named after a log on a server: its write lock, and the files that lie on this machine."""

import contextlib
import hashlib
import os
from pathlib import Path


def lock_key(ledger_id: str) -> int:
    """The advisory lock of those who write to the log."""
    return int.from_bytes(hashlib.sha256(ledger_id.encode()).digest()[:8], "big", signed=True)


def home_of(database: str, ledger_id: str) -> str:
    """What files of the log are named after."""
    return str(_state_folder() / f"{database}-{ledger_id[:8]}")


def _state_folder() -> Path:
    """Where files lie that belong to a log on a server: one place for all processes of a user, so that they share
    views."""
    folder = Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "redrive"
    with contextlib.suppress(OSError):  # who cannot write there names a folder for the views
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
