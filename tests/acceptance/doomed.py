"""``redrive`` as it is typed, killed with -9 at a place in its log: ``python -m tests.acceptance.doomed POSITION …``.

It dies with the commit by which the log has reached POSITION while an attempt runs that it started itself. Whoever
watched from outside could be too slow, or too late.
"""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from redrive.cli import main
from redrive.domain.event import Recorded
from redrive.domain.run import events as e
from redrive.ledger.ledger import LogLedger

ENDED = (e.AttemptSucceeded, e.AttemptFailed, e.AttemptInterrupted)


class Death:
    """Hears every commit."""

    def __init__(self, position: int) -> None:
        self._position = position
        self._running: set[tuple[str, int]] = set()

    def __call__(self, events: Sequence[Recorded]) -> None:
        """Strike, if it is time."""
        for recorded in events:
            if isinstance(recorded.event, e.AttemptStarted):
                self._running.add((recorded.event.node, recorded.event.lifetime))
            elif isinstance(recorded.event, ENDED):
                self._running.discard((recorded.event.node, recorded.event.lifetime))
        if self._running and events[-1].position >= self._position:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    death, made = Death(int(sys.argv.pop(1))), LogLedger.__init__

    def make(ledger: LogLedger, *args: Any, **options: Any) -> None:
        """A log whose commits are heard."""
        made(ledger, *args, **options)
        ledger.subscribe(death)

    LogLedger.__init__ = make  # type: ignore[assignment,method-assign]
    main()
