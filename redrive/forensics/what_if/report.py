"""What a what-if found. Every number that is not known is told as bounds."""

from collections.abc import Sequence

from redrive.forensics.decided_again.replay_check import Difference
from redrive.forensics.footing import Footing
from redrive.forensics.what_if.bounds import Amounts, Bounds, exactly
from redrive.forensics.what_if.extent import BUCKETS
from redrive.projections.models import Model

BANNER = "COUNTERFACTUAL: none of this happened. Recorded history was decided again under another policy."
ASSUMPTIONS = (
    "A recorded outcome is used again only for the same attempt: node, generation, number.",
    "Attempts that were never made have unknown outcomes: bounds span every way they could have ended.",
    "An unknown failure has the class of the node's last; a node that never failed may fail anyhow.",
    "An attempt takes as long, and starts as late, as it did; an unknown one takes as long as the node's last.",
    "Dice that never fell show the middle. An interrupted attempt fails by itself.",
    "Runs do not touch each other: limits, queues and the number of workers are not part of the model.",
    "Operators react to the same news after the same time, in the same way, and to nothing else.",
    "What happened outside, such as the effect of more load on a provider, cannot be said.",
)


class Comparison(Model):
    """A number as it was *recorded*, as it would have been, and the *change*."""

    recorded: int
    counterfactual: Bounds
    change: Bounds


def compared(recorded: int, counterfactual: Bounds) -> Comparison:
    """Both, and the change."""
    return Comparison(recorded=recorded, counterfactual=counterfactual, change=counterfactual.minus(recorded))


class Recoveries(Model):
    """Of the runs that differ: how many complete *earlier*, *later* or *undecided* (it depends on what is unknown),
    *gained* that completed only counterfactually, *lost* that completed only as recorded; *later_ms* in all, negative
    when earlier."""

    earlier: int = 0
    later: int = 0
    same: int = 0
    undecided: int = 0
    gained: Bounds = exactly(0)
    lost: Bounds = exactly(0)
    later_ms: Bounds = exactly(0)


class RunDifference(Model):
    """A run that would have gone another way: from which *position* on, the *first* decision that differs (None: an
    event was dropped), what changes, which recorded attempts were *saved*, which are *unknown* because they never
    happened, and which requests of operators were *unused*. *status* is where it ends if everything unknown fails,
    and if everything succeeds; *later_ms* how much later it completes, when it completes anyway."""

    run: str
    automation: str
    position: int
    first: Difference | None
    attempts: Bounds
    dead_letters: Bounds
    dispatches: Bounds
    status_recorded: str
    status: tuple[str, ...]
    later_ms: Bounds | None
    saved: tuple[str, ...]
    unknown: tuple[str, ...]
    unused: tuple[str, ...]
    exact: bool


class LoadPoint(Model):
    """One bucket of time: retry attempts that began in it, and dead letters opened up to its end."""

    at_ms: int
    retries_recorded: int
    retries: Bounds
    dead_letters_recorded: int
    dead_letters: Bounds


class WhatIfReport(Model):
    """What would have been. *runs* tells of the first 200 of the *runs_that_differ*. Of *inexact_runs* only some
    courses were played, because there are too many: their bounds are wide."""

    COUNTERFACTUAL: str = BANNER
    from_position: int
    to_position: int
    dropped: tuple[int, ...]
    attempts: Comparison
    retries: Comparison
    dead_letters: Comparison
    dispatches: Comparison
    completed: Comparison
    recoveries: Recoveries
    runs_that_differ: int
    runs: tuple[RunDifference, ...]
    bucket_ms: int
    load: tuple[LoadPoint, ...]
    inexact_runs: int
    assumptions: tuple[str, ...]
    notes: tuple[str, ...]
    footing: Footing


def load_points(recorded: Amounts, same: Amounts, low: Amounts, high: Amounts, width_ms: int) -> tuple[LoadPoint, ...]:
    """Load and dead letters by bucket; dead letters are counted up. What is the *same* in both counts in both; *low*
    and *high* are what the runs that differ come to."""
    buckets = sorted({*recorded.load, *recorded.opened, *high.load, *high.opened, *same.load})
    if not buckets:
        return ()
    points, least, most, told = [], 0, 0, 0
    for bucket in _filled(buckets):
        told += recorded.opened[bucket]
        least += same.opened[bucket] + low.opened[bucket]
        most += same.opened[bucket] + high.opened[bucket]
        shared = same.load[bucket]
        points.append(
            LoadPoint(
                at_ms=bucket * width_ms,
                retries_recorded=recorded.load[bucket],
                retries=Bounds(low=shared + low.load[bucket], high=shared + high.load[bucket]),
                dead_letters_recorded=told,
                dead_letters=Bounds(low=least, high=most),
            )
        )
    return tuple(points)


def _filled(buckets: Sequence[int]) -> Sequence[int]:
    """Every bucket from the first to the last, unless there is a hole of years."""
    first, last = buckets[0], buckets[-1]
    return range(first, last + 1) if last - first <= 20 * BUCKETS else buckets
