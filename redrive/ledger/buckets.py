"""What is in the buckets of rates: nothing but starts takes from them, so the log tells it for any moment."""

from collections.abc import Callable, Iterable

from redrive.domain.event import Recorded
from redrive.domain.identity import RunId
from redrive.domain.limits import Bucket, full_bucket, taken
from redrive.domain.run.state import Run
from redrive.ledger.limit_book import LimitBook
from redrive.ledger.recorder import COLUMNS
from redrive.ledger.tally import tokens_taken

STARTS = (
    f"SELECT {COLUMNS} FROM events WHERE position > ? AND position <= ? "
    "AND (topic LIKE 'run.attempt-started/%' OR topic LIKE 'run.claimed/%') ORDER BY position"
)
"""What takes from buckets, beyond a position, up to another."""


def buckets_of(
    book: LimitBook, starts: Callable[[int], Iterable[Recorded]], run_of: Callable[[RunId], Run | None]
) -> dict[str, Bucket]:
    """What is in each bucket, and when: it was full when it was set, and the *starts* beyond a position have taken from
    it since. *run_of*: None for a run that this version cannot read: what it took is not known."""
    buckets = {key: full_bucket(limit.rate, book.anew[key].at_ms) for key, limit in book.limits.items()}
    rated = {key: limit.rate for key, limit in book.limits.items() if limit.rate is not None}
    first = min((book.anew[key].position for key in rated), default=None)
    for recorded in () if first is None else starts(first):
        run = run_of(RunId(recorded.stream))
        for key in () if run is None else tokens_taken(run, recorded.event):  # type: ignore[arg-type]
            if key in rated and recorded.position > book.anew[key].position:
                buckets[key] = taken(rated[key], buckets[key], recorded.occurred_at_ms)
    return buckets
