"""The folder for files of logs beside which nothing can lie: on a server, or where nobody may write."""

import contextlib
import os
from pathlib import Path


def state_folder() -> Path:
    """One place for all processes of a user, so that they share views."""
    folder = Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "redrive"
    with contextlib.suppress(OSError):  # who cannot write there names a folder for the views
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
