"""Who signed the checkpoints, and whose signatures are trusted."""

from collections.abc import Sequence

from redrive.domain.errors import InvalidValue
from redrive.evidence.notes import Checkpoint, Verifier, next_key_of, parse_checkpoint, parse_note, verified_by
from redrive.evidence.store import StoredCheckpoint


class Trust:
    """Follows the checkpoints in order, from keys that are trusted out of band to those they hand over to.

    *known* keys are checked as well, without being trusted: a signature that claims to be theirs must be.
    """

    def __init__(self, origin: str, trusted: Sequence[Verifier], known: Sequence[Verifier]) -> None:
        self._origin = origin
        self.trusted, self._known = list(trusted), [key for key in known if key not in trusted]
        self.size = 0
        self.by: tuple[str, ...] = ()
        self.last_signed = False

    def look(self, point: StoredCheckpoint) -> str | None:
        """What is wrong with a checkpoint's note; None when it says what its row says."""
        try:
            note = parse_note(point.note)
            found = parse_checkpoint(note.text)
            verified = verified_by(note, [*self.trusted, *self._known])
            next_key = next_key_of(note.text)
        except (InvalidValue, TypeError) as error:
            return f"its note is not what was signed ({error})"
        if found != Checkpoint(self._origin, point.size, point.root):
            return "its note says something else than its row"
        trusted = [key for key in verified if key in self.trusted]
        self.last_signed = bool(trusted)
        if trusted:
            self.size, self.by = point.size, tuple(dict.fromkeys(key.name for key in trusted))
            if next_key is not None and next_key not in self.trusted:
                self.trusted.append(next_key)
        return None
