"""A worker in a process of its own: ``python -m redrive.demo.worker LOG NAME``. It ends with whoever started it: when
its standard input does. It does not tick, so that whoever started it is the only one who reclaims and sweeps."""

import os
import sys
import threading

from redrive.effect_reconcilers import effect_reconcilers
from redrive.executors import Allowed, Handlers
from redrive.opening import open as open_engine
from redrive.processes.worker import Worker


def main(url: str, name: str) -> None:
    """Work until standard input ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with open_engine(url, reconcilers=effect_reconcilers()) as engine:
        handlers = Handlers(Allowed(effect_origins=("*",)), engine.services.classifier)
        Worker(engine, handlers, name=name, lease_ms=60_000, tick_ms=None, poll_ms=50).run()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
