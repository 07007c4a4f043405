"""View checkpoints: copies of the view database at positions of the log, so that the past costs the distance to one.

They lie beside the live view, in a folder of its name, and each says in its own table which log it was folded from,
up to which event, and by which code: one that does not fit is passed over and written anew. They are made by whoever
folds the past (``engine.at``, or ``redrive views checkpoint``), never by a command. Those who fold leave one behind at
every multiple of *every* events, or of twice as many, and so on, where the log is so long that there would be more than
``MOST``. When there are too many all the same, or they take more than ``MOST_BYTES``, every second one goes, so that
those that stay are evenly spread over the log.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

from redrive.domain.values import clean_integer
from redrive.ledger.ledger import LogLedger
from redrive.projections.logs import log
from redrive.projections.view import View
from redrive.projections.view_file import sync
from redrive.projections.view_state import ViewState

EVERY = 50_000
MOST = 32
MOST_BYTES = 8 * 1024**3
LEAST_EVERY = 1_000
ABANDONED = ".writing-"
ERASURES = "erasures"
"""The file that says how many keys were destroyed when nothing older was left."""


class ViewCheckpoints:
    """The checkpoints of one live view. *every* 0: none are used and none are made."""

    def __init__(self, ledger: LogLedger, views: View, every: int = EVERY) -> None:
        self._ledger = ledger
        self.every = clean_integer(every, "checkpoint_events", 0, 2**53)
        if 0 < self.every < LEAST_EVERY:
            self.every = LEAST_EVERY
        beside = None if views.path is None else Path(f"{views.path.removesuffix('.db')}.checkpoints")
        self.folder = beside if self.every else None
        self._erasures = erasures_of(ledger)  # what was folded before one must not be written after
        self._drop_what_is_destroyed()

    def positions(self) -> list[int]:
        """Where there is a file that says it is one, in log order."""
        if self.folder is None:
            return []
        with contextlib.suppress(OSError):
            names = (path.name for path in self.folder.iterdir())
            return sorted(int(name[4:-3]) for name in names if _is_named(name))
        return []

    def stops(self, after: int, until: int) -> Iterator[int]:
        """The positions beyond *after*, up to *until*, at which one is to be left behind: as far apart as leaves room
        for all of them."""
        if self.folder is not None:
            step = self.every
            while until // step > MOST:
                step *= 2
            yield from range(after - after % step + step, until + 1, step)

    def copy_nearest(self, position: int, to: Path) -> int:
        """Copy the last sound one at or before *position* to *to*; its position, 0 when there is none."""
        for place in reversed([known for known in self.positions() if known <= position]):
            source = self._path(place)
            if self._is_sound(source, place):
                with contextlib.suppress(OSError):
                    shutil.copyfile(source, to)
                    return place
        return 0

    def keep(self, view: View, position: int) -> bool:
        """Leave a copy of *view*, which stands at *position*, unless there is one, or a key was destroyed since this
        object was made; whether it was written. A full disk is no reason to fail: the past is told all the same."""
        if self.folder is None or self._is_sound(self._path(position), position):
            return False
        fresh = self.folder / f"{ABANDONED}{os.getpid()}-{token_hex(4)}"
        try:
            self.folder.mkdir(exist_ok=True)
            view.copy_to(str(fresh))
            sync(fresh)
            fresh.rename(self._path(position))
            if self._erasures is None or erasures_of(self._ledger) != self._erasures:
                self._path(position).unlink(missing_ok=True)
                return False
        except Exception as error:  # noqa: BLE001 - it only makes later questions faster
            log.warning("view.checkpoint-failed", folder=str(self.folder), error=str(error))
            return False
        finally:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
        self._thin()
        return True

    def _drop_what_is_destroyed(self) -> None:
        """Remove those that were made before the last key was destroyed: by whom, and where, does not matter."""
        if self.folder is None or self._erasures == 0 or not self.folder.is_dir():
            return
        marker, now = self.folder / ERASURES, str(self._erasures)
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if self._erasures is not None and marker.read_text(encoding="ascii") == now:
                return
        self.drop()
        if self._erasures is not None and not self.positions():
            with contextlib.suppress(OSError):
                marker.write_text(now, encoding="ascii")

    def drop(self) -> int:
        """Remove all of them, and what was abandoned half-written; how many there were."""
        found = self.positions()
        if self.folder is not None:
            with contextlib.suppress(OSError):
                for path in self.folder.iterdir():
                    if _is_named(path.name) or path.name.startswith(ABANDONED):
                        path.unlink(missing_ok=True)
        return len(found)

    def size(self) -> int:
        """Bytes on disk."""
        return sum(self._size(position) for position in self.positions())

    def _thin(self) -> None:
        """Drop those between the others, the finest first, until there are few enough."""
        assert self.folder is not None
        kept, step = self.positions(), self.every
        while kept and (len(kept) > MOST or sum(map(self._size, kept)) > MOST_BYTES):
            step *= 2
            going = [position for position in kept if position % step] if step <= kept[-1] else kept[:-1] or kept
            for position in going:
                self._path(position).unlink(missing_ok=True)
            kept = [position for position in kept if position not in set(going)]

    def _size(self, position: int) -> int:
        try:
            return self._path(position).stat().st_size
        except OSError:
            return 0

    def _path(self, position: int) -> Path:
        assert self.folder is not None
        return self.folder / f"pos-{position:012}.db"

    def _is_sound(self, path: Path, position: int) -> bool:
        """Whether the file was folded from this log, up to this event, by this code."""
        if not path.exists():
            return False
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
            with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
                state = ViewState.of(connection)
        except (sqlite3.Error, TypeError):
            return False
        return state.position == position and state.mismatch(self._ledger, position) is None


def erasures_of(ledger: LogLedger) -> int | None:
    """How many keys are destroyed; None while one is. Whoever destroys a key removes what was folded before."""
    encryption = ledger.recorder.encryption
    return 0 if encryption is None else encryption.erasures


def _is_named(name: str) -> bool:
    return name.startswith("pos-") and name.endswith(".db") and name[4:-3].isascii() and name[4:-3].isdigit()
