"""A view of a prefix that belongs to one question: in memory when it is small, else in a folder that goes with it."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from glob import escape
from pathlib import Path

from redrive.forensics.checkpoints import ViewCheckpoints
from redrive.forensics.prefix import LogPrefix
from redrive.projections.view import View

IN_MEMORY = 10_000
FOLDER = ".past-"
FILE = "view.db"


class PrivateView:
    """The view of *prefix*, folded from the nearest checkpoint, or from the live view when that is nearer (and
    *from_live*). Checkpoints are left behind on the way."""

    def __init__(
        self,
        prefix: LogPrefix,
        live: View,
        checkpoints: ViewCheckpoints,
        *,
        on_disk: bool = False,
        from_live: bool = True,
    ) -> None:
        self._prefix, self._checkpoints, self._from_live = prefix, checkpoints, from_live
        self._folder: PrivateFolder | None = None
        end = prefix.end.position
        if end <= IN_MEMORY and not on_disk:
            self.view = View(prefix, None)
            self.view.catch_up()
            return
        self._folder = PrivateFolder(live.path)
        try:
            self.view = self._folded(self._folder.place / FILE, live, end)
        except BaseException:
            self._folder.remove()
            raise

    def close(self) -> None:
        """Close the view, and remove its folder."""
        self.view.close()
        if self._folder is not None:
            self._folder.remove()

    def _folded(self, path: Path, live: View, end: int) -> View:
        prefix, checkpoints = self._prefix, self._checkpoints
        base = checkpoints.copy_nearest(end, path)
        if self._from_live and base < live.position <= end:
            path.unlink(missing_ok=True)
            base = live.copy_to(str(path))
            if base > end:  # another process folded meanwhile
                path.unlink()
                base = checkpoints.copy_nearest(end, path)
        prefix.begun = base
        stops = [stop for stop in checkpoints.stops(base, end - 1) if prefix.event_id_at(stop) is not None] + [end]
        prefix.until = stops[0]
        view = View(prefix, str(path))
        try:
            for stop in stops:
                prefix.until = stop
                view.catch_up()
                if stop and checkpoints.every and stop % checkpoints.every == 0:
                    checkpoints.keep(view, stop)
        except BaseException:
            view.close()
            raise
        return view


class PrivateFolder:
    """A folder of one process, beside the live view: so it lies on the same disk, and whoever destroys a key finds it;
    locked while it is used. What processes left behind that died is removed by the next one."""

    def __init__(self, live: str | None) -> None:
        beside = Path(tempfile.gettempdir()) if live is None else Path(live).parent
        prefix = f"{'redrive' if live is None else Path(live).name}{FOLDER}"
        _sweep(beside, prefix)
        while True:
            try:
                self.place = Path(tempfile.mkdtemp(prefix=prefix, dir=beside))
            except OSError:
                self.place = Path(tempfile.mkdtemp(prefix=prefix))
            self._lock = os.open(self.place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if (self.place / "lock").exists():  # else it was swept between two of these lines
                break
            os.close(self._lock)

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.place, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._lock)


@contextlib.contextmanager
def private_folder(live: str | None) -> Iterator[Path]:
    """A private folder, removed at the end."""
    folder = PrivateFolder(live)
    try:
        yield folder.place
    finally:
        folder.remove()


def _sweep(beside: Path, prefix: str) -> None:
    for found in beside.glob(f"{escape(prefix)}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(found / "lock", os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(found, ignore_errors=True)
            finally:
                os.close(descriptor)
