"""What-if: recorded history decided again under another policy. Nothing is ever appended to the log."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from redrive.forensics.decided_again.commits import end_of_decision
from redrive.forensics.footing import footing
from redrive.forensics.positions import Asked, position_of
from redrive.forensics.prefix import Progress
from redrive.forensics.what_if.bounds import Bounds
from redrive.forensics.what_if.counterfactual import WhatIf
from redrive.forensics.what_if.counterfactual_log import CounterfactualLogs
from redrive.forensics.what_if.extent import dropped_positions, width_of
from redrive.forensics.what_if.findings import Findings
from redrive.forensics.what_if.inquiry import MOST_RUNS, Inquiry, Question
from redrive.forensics.what_if.policy_file import WhatIfPolicy, policy_given
from redrive.forensics.what_if.report import ASSUMPTIONS, WhatIfReport, compared, load_points
from redrive.forensics.what_if.shares import shared_out
from redrive.projections.batch import collector_paused

if TYPE_CHECKING:
    from redrive.engine import Engine


def what_if(
    engine: "Engine", policy: object, from_: Asked | None, drop: Sequence[Asked], progress: Progress | None
) -> WhatIf:
    """History beyond *from_* under *policy*, without the events *drop*. Raises InvalidValue."""
    wanted, ledger = policy_given(policy), engine.ledger
    after = 0 if from_ is None else position_of(ledger, from_).position
    dropped = dropped_positions(ledger, drop)
    logs = CounterfactualLogs(engine)
    try:
        after = end_of_decision(ledger, after)
        with collector_paused():
            return WhatIf(ledger.id, logs, _decided_again(engine, wanted, after, dropped, logs, progress))
    except BaseException:
        logs.close()
        raise


def _decided_again(
    engine: "Engine", policy: WhatIfPolicy, after: int, dropped: tuple[int, ...], logs: CounterfactualLogs,
    progress: Progress | None,
) -> WhatIfReport:  # fmt: skip
    """What would have been beyond position *after*, without what was *dropped*; *logs* learn which runs differ."""
    until = engine.ledger.last_position()
    question = Question(policy=policy, dropped=dropped, until=until, width_ms=width_of(engine.ledger, after, until))
    inquiry = Inquiry(engine.ledger, question, engine.services.policy_of, MOST_RUNS)
    shared_out(inquiry, engine, logs.folder, after, progress)
    found = inquiry.findings
    logs.part(found.parted, found.gone, inquiry.ends)
    low, high, same = found.sums.low, found.sums.high, found.same

    def both(name: str) -> Bounds:
        alike = getattr(same, name)
        return Bounds(low=alike + getattr(low, name), high=alike + getattr(high, name))

    return WhatIfReport(
        from_position=after,
        to_position=until,
        dropped=dropped,
        attempts=compared(found.recorded.attempts, both("attempts")),
        retries=compared(found.recorded.retries, both("retries")),
        dead_letters=compared(found.recorded.dead_letters, both("dead_letters")),
        dispatches=compared(found.recorded.dispatches, both("dispatches")),
        completed=compared(found.recorded.completed, both("completed")),
        recoveries=found.sums.recoveries(),
        runs_that_differ=len(found.parted),
        runs=tuple(inquiry.runs),
        bucket_ms=question.width_ms,
        load=load_points(found.recorded, same, low, high, question.width_ms),
        inexact_runs=found.sums.inexact,
        assumptions=ASSUMPTIONS,
        notes=(*_of_nobody(engine, policy), *_kept(found), *inquiry.kept, *(note for _, note in sorted(found.notes))),
        footing=footing(engine, until),
    )


def _kept(found: Findings) -> list[str]:
    """A sentence for each reason why decisions could not be made again: of these runs, no change is no answer."""
    counts = sorted(Counter(found.kept.values()).items())
    return [f"{number:,} run{'s'[: number > 1]}: decisions {why} were kept as recorded" for why, number in counts]


def _of_nobody(engine: "Engine", policy: WhatIfPolicy) -> list[str]:
    """A sentence for each automation that the policy names and no run has: a name misspelled changes nothing."""
    asked = "SELECT 1 FROM runs WHERE automation = ? LIMIT 1"
    unknown = [name for name in policy.automations if not engine.views.rows(asked, (name,))]
    why = "is recorded: what the policy says of it changes nothing"
    return [f"no run of automation {name!r} {why}" for name in unknown]
