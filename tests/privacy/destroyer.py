"""A process that destroys a key and is killed on the way."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from redrive.ledger.committer import Committer
from redrive.ledger.transaction import LedgerTransaction
from redrive.privacy import destruction
from redrive.privacy.key_store import KeyStore
from redrive.projections.view import View
from tests.privacy.vault import Vault

STEPS: dict[str, tuple[Any, str]] = {
    "before the intent": (KeyStore, "intend"),
    "before the key goes": (KeyStore, "destroy"),
    "before the event": (LedgerTransaction, "append_once"),
    "before the commit": (Committer, "_commit"),
    "before the views are purged": (View, "_rebuild"),
    "before copies are removed": (destruction, "remove_copies"),
    "before anything is closed": (destruction, "_close"),
    "before the intent is finished": (KeyStore, "finish"),
}
"""What the process is killed in front of."""


def die(*_args: object, **_more: object) -> None:
    """As kill -9 does it."""
    os.kill(os.getpid(), signal.SIGKILL)


def destroy(folder: Path, step: str, stores: Mapping[str, str]) -> None:
    """Destroy ana's key, up to a step, in the log that lies where *stores* say."""
    os.environ.update(stores)
    vault = Vault(folder)
    if step in STEPS:
        where, name = STEPS[step]
        setattr(where, name, die)
    vault.destroy()


def busy(vault: Vault, stop: Callable[[], bool]) -> int:
    """Submit and execute runs of ana and bob until told to stop; how many."""
    done = 0
    while not stop():
        for subject in ("ana", "bob"):
            vault.submit(subject=subject, input={"n": done, "who": subject * 3})
            done += 1
    return done
