"""Views in several places: each machine and user has their own, and whoever destroys a key reaches those beside his.

A small file beside the live views says how many keys were destroyed when everything that is folded in that place was
last looked at. Whoever opens the log there, or lets its timers run, finds out whether there are more by now.
"""

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from redrive.domain.errors import RedriveError
from redrive.privacy.encryption import Encryption
from redrive.projections.logs import log
from redrive.projections.view_file import ViewFile

if TYPE_CHECKING:
    from redrive.engine import Engine


def forget_what_is_destroyed(engine: "Engine", encryption: Encryption) -> None:
    """Fold the views in this place anew, and remove copies of them, when a key was destroyed since that was last done.
    What cannot be done now is logged, and tried again by the next one."""
    path, done = engine.views.path, encryption.erasures
    if path is None or not done or _known(path) == done:
        return
    from redrive.privacy.destruction import follow_destructions

    try:
        follow_destructions(engine, encryption)
        engine.views.catch_up()
        remove_copies(path)
        note_erasures(path, done)
    except (RedriveError, OSError) as error:
        log.error("privacy.copies-left", path=path, error=str(error))


def remove_copies(view: str | None) -> tuple[str, ...]:
    """Remove what other versions of the code, as-of queries and interrupted rebuilds keep beside the view. They are
    made anew when they are asked for; a process that is making one at this moment fails, once."""
    if view is None:
        return ()
    live = Path(view)
    stem = live.name.rpartition(".views-")[0] + ".views-"
    removed = []
    for found in sorted(live.parent.iterdir()):
        own = found.name == live.name or found.name.startswith((f"{live.name}-", f"{live.name}.lock"))
        if own or not found.name.startswith(stem) or found.name.endswith(".lock"):
            continue
        if found.is_dir():
            shutil.rmtree(found, ignore_errors=True)
        elif found.suffix == ".db":
            ViewFile.discard(str(found))
        else:
            found.unlink(missing_ok=True)
        removed.append(found.name)
    return tuple(removed)


def note_erasures(view: str | None, erasures: int | None) -> None:
    """Everything beside the *view* was looked at when so many keys were destroyed."""
    if view is not None and erasures is not None:
        _marker(view).write_text(str(erasures), encoding="ascii")


def _known(view: str) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int(_marker(view).read_text(encoding="ascii"))
    return None


def _marker(view: str) -> Path:
    """One for all versions of the code: each removes what the others folded, and none begins again because of it."""
    log_name, found, _ = view.rpartition(".views-")
    return Path(f"{log_name if found else view}.views.erasures")
