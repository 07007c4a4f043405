"""A worker of the soak test: ``python -m benchmarks.soak.worker URL NAME``. It ends when its standard input does."""

import os
import sys
import threading

import redrive
from redrive.effect_reconcilers import effect_reconcilers
from redrive.executors import Allowed, Handlers

LEASE_MS = 5_000


def main(url: str, name: str) -> None:
    """Work until standard input ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with redrive.open(url, reconcilers=effect_reconcilers()) as engine:
        handlers = Handlers(Allowed(effect_origins=("*",)), engine.services.classifier)
        redrive.Worker(engine, handlers, name=name, lease_ms=LEASE_MS, tick_ms=300, poll_ms=100).run()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
