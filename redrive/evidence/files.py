"""Small files that must be there, whole, after a power cut."""

import os
from pathlib import Path
from secrets import token_hex

from redrive.projections.view_file import sync


def write_durably(path: Path, text: str, *, mode: int = 0o644, new: bool = False) -> None:
    """Put *text* at *path* at once, or leave what is there. With *new*, raises FileExistsError for what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if new:
            os.link(beside, path)
        else:
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync(path.parent)
