"""Conflicts: how long to wait before a command that another writer outran is decided again."""

from collections.abc import Callable
from typing import TypeVar

from redrive.domain.errors import Conflict

MOST_TRIES = 20
BASE_MS = 1
MOST_MS = 50

T = TypeVar("T")


def pause_ms(tries: int, draw: float) -> float | None:
    """How long to wait after so many *tries* (1 or more) met a conflict; None: do not try again.

    Full jitter: any time up to a bound that doubles with each try, so that those who met do not meet again. *draw*, in
    [0, 1), comes from the caller. See Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
    """
    if tries >= MOST_TRIES:
        return None
    return draw * min(MOST_MS, BASE_MS * 2.0 ** (tries - 1))


def retried(command: Callable[[], T], *, dice: Callable[[], float], sleep: Callable[[float], None]) -> T:
    """What *command* returns once nobody outruns it; *sleep* is given seconds.

    Raises Conflict when it met one as often as it may be tried; whatever else *command* raises, at once.
    """
    tries = 0
    while True:
        try:
            return command()
        except Conflict:
            tries += 1
            pause = pause_ms(tries, dice())
            if pause is None:
                raise
        sleep(pause / 1000)
