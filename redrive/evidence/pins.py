"""The pin file: the last checkpoint, kept where whoever can write the log need not be able to write."""

import fcntl
import os
from pathlib import Path

from redrive.domain.errors import InvalidValue, SealRefused
from redrive.evidence.files import write_durably
from redrive.evidence.notes import Checkpoint, parse_checkpoint, parse_note


class PinFile:
    """A checkpoint's note in a file. It is replaced at once and durably, and never goes backwards."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self) -> str | None:
        """What is pinned, as text; None when there is no such file. Raises SealRefused when it cannot be read."""
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SealRefused(f"{self.path}: the pin file cannot be read ({error})") from None

    def read(self) -> Checkpoint | None:
        """What is pinned; None when nothing is. Raises SealRefused when that cannot be told."""
        note = self.note()
        if note is None:
            return None
        try:
            return parse_checkpoint(parse_note(note).text)
        except InvalidValue as error:
            raise SealRefused(f"{self.path}: the pin file holds no checkpoint ({error})") from None

    def advance(self, note: str) -> None:
        """Pin a later checkpoint; one that is no later changes nothing. Raises SealRefused when it cannot be kept."""
        new = parse_checkpoint(parse_note(note).text)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                known = self.read()
                if known is None or known.size < new.size:
                    write_durably(self.path, note)
            finally:
                os.close(lock)
        except OSError as error:
            raise SealRefused(f"{self.path}: the pin file cannot be written ({error})") from None
