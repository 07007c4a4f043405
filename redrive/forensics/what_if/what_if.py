"""What-if: recorded history decided again under another policy. Nothing is ever appended to the log."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from redrive.domain.event import Recorded
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.run.events import RunSubmitted
from redrive.domain.run.state import Run
from redrive.forensics.decided_again.recorded_policies import RecordedPolicies
from redrive.forensics.decided_again.replay_check import Difference, difference_of
from redrive.forensics.decided_again.retrial import Differs, Retrial, take, unreadable
from redrive.forensics.decided_again.row_decisions import row_decisions
from redrive.forensics.decided_again.streams import Streams
from redrive.forensics.footing import footing
from redrive.forensics.prefix import Progress
from redrive.forensics.what_if.bounds import Amounts, Bounds, Named, amounts_of, exactly
from redrive.forensics.what_if.certain import goes_otherwise
from redrive.forensics.what_if.counterfactual_log import CounterfactualLogs
from redrive.forensics.what_if.extent import kept_as_recorded, width_of
from redrive.forensics.what_if.load import load_points
from redrive.forensics.what_if.otherwise import OtherFlows, same_course
from redrive.forensics.what_if.parting import Parting, Partings
from redrive.forensics.what_if.policy_file import WhatIfPolicy
from redrive.forensics.what_if.report import (
    ASSUMPTIONS,
    RunDifference,
    WhatIfReport,
    compared,
)
from redrive.forensics.what_if.run_record import RunRecord
from redrive.forensics.what_if.sums import Sums
from redrive.forensics.what_if.touched import Touched, count_rows

if TYPE_CHECKING:
    from redrive.engine import Engine

MOST_RUNS, MOST_NAMED = 200, 50
PROGRESS_EVERY = 64


class Inquiry:
    """One pass over the log. *logs* keeps the counterfactual events of the runs that differ."""

    def __init__(
        self, engine: "Engine", policy: WhatIfPolicy, after: int, until: int, drop: Sequence[Recorded],
        logs: CounterfactualLogs,
    ) -> None:  # fmt: skip
        self._engine, self._ledger, self._policy = engine, engine.ledger, policy
        self._after, self._until, self._logs = after, until, logs
        self._flows = OtherFlows(policy, self._ledger.committer.states.flow)
        self._streams = Streams(self._ledger, self._flows.flow)
        self._policies = RecordedPolicies(self._ledger)
        self._dropped = {recorded.event_id for recorded in drop}
        self._dropped_at = {recorded.position for recorded in drop}
        self._partings = Partings(engine, policy, self._flows, self._policies, until, self._dropped)
        self._record: RunRecord | None = None
        logs.ends = self._partings.ends
        self._width_ms = width_of(self._ledger, after, until)
        self._parted: dict[str, int] = {}
        self._recorded, self._same = Amounts(), Amounts()
        self._sums = Sums()
        self._runs: list[RunDifference] = []
        kept = kept_as_recorded(self._ledger, drop)
        self._gone = self._dropped_at - kept.keys()
        self._notes = [*_of_nobody(engine, policy), *kept.values()]

    def make(self, progress: Progress | None) -> WhatIfReport:
        """Read the log and report."""
        touched = Touched(self._ledger, self._policy, self._flows, self._dropped_at)
        for number, rows in enumerate(row_decisions(self._ledger.rows(self._after, self._until))):
            if rows[0][6] in self._parted:
                count_rows((self._recorded,), rows, self._width_ms)
            elif touched.touches(rows):
                count_rows((self._recorded,), rows, self._width_ms)
                self._decide(touched.shown(rows))
                self._streams.shrink()
            else:
                count_rows((self._recorded, self._same), rows, self._width_ms)
                self._streams.follow(rows)
            if progress is not None and number % PROGRESS_EVERY == 0:
                progress(rows[-1][0], self._until)
        if progress is not None:
            progress(self._until, self._until)
        return self._report()

    def _decide(self, together: list[Recorded]) -> None:
        run, at = together[0].correlation, together[0].position
        if not self._streams.knows(run):
            record = self._record_of(run)
            record.is_known(together)
            if record.whole:
                self._streams.learn(record.before(at), run)
        dropped = not self._gone.isdisjoint(recorded.position for recorded in together)
        if dropped and self._parts(run, together, "what was dropped is"):
            self._part(run, together, None)
            return
        if unreadable(self._streams, together):
            take(self._streams, together)
        elif self._is_certain(run, together):
            self._part(run, together, None)
            return
        else:
            again = Retrial(self._streams, together, self._flows.flow, same_course)
            try:
                again.try_again(self._policy_of(together), _nothing, _nothing)
            except Differs as differs:
                if self._parts(run, together, f"{differs.rule} would go otherwise, but is"):
                    told = len(self._runs) < MOST_RUNS
                    self._part(run, together, difference_of(differs, together) if told else None)
                    return
                again.take_rest()
        for recorded in together:
            self._same.count(recorded, self._width_ms)

    def _is_certain(self, run: str, together: Sequence[Recorded]) -> bool:
        """Whether the decision goes another way, and nobody wants to be told how."""
        if len(self._runs) < MOST_RUNS or not self._record_of(run).whole:
            return False
        return goes_otherwise(self._streams.get(run, together[0].position), together)

    def _record_of(self, run: str) -> RunRecord:
        """What the log holds of a run: the last that was read is at hand."""
        if self._record is None or self._record.run != run:
            self._record = self._partings.record(run)
        return self._record

    def _parts(self, id_: str, together: Sequence[Recorded], what: str) -> bool:
        """Whether histories can part here: only those of runs do, of which every event so far can be read."""
        at = together[0].position
        stream = self._streams.get(id_, at)
        read = stream is not None and isinstance(stream.state, Run) and not stream.unknown
        if (read and self._record_of(id_).whole) or any(isinstance(r.event, RunSubmitted) for r in together):
            return True
        self._notes.append(f"position {at}: {what} of no run that can be read, and was kept as recorded")
        return False

    def _policy_of(self, together: Sequence[Recorded]) -> Callable[[Run], RedrivePolicy]:
        recorded = self._policies.of(together)
        return lambda run: self._policy.redrive(run.automation, recorded(run))

    def _part(self, run_id: str, together: list[Recorded], first: Difference | None) -> None:
        """From here on the history of a run is another one."""
        at = together[0].position
        self._parted[run_id] = at
        for stream in {recorded.stream for recorded in together} | {run_id}:
            self._streams.forget(stream)
        record = self._record_of(run_id)
        if any(isinstance(r.event, RunSubmitted) for r in together):
            self._logs.part(run_id, at, gone=True)
            rest = record.events()[len(record.before(at)) :]
            self._tell_gone(run_id, together, amounts_of(rest, self._width_ms))
            return
        self._logs.part(run_id, at)
        parting = Parting(self._partings, record, at)
        self._tell(run_id, together, first, parting)

    def _tell_gone(self, run_id: str, together: list[Recorded], recorded: Amounts) -> None:
        """The run was dropped as a whole."""
        first = next((r for r in together if isinstance(r.event, RunSubmitted)), together[0])
        if len(self._runs) < MOST_RUNS:
            gone = exactly(0)
            self._runs.append(
                RunDifference(
                    run=run_id, automation=getattr(first.event, "automation", ""), position=first.position,
                    first=None, attempts=gone.minus(recorded.attempts), dead_letters=gone.minus(recorded.dead_letters),
                    dispatches=gone.minus(recorded.dispatches), status_recorded="", status=("never submitted",),
                    later_ms=None, saved=(), unknown=(), unused=(), exact=True,
                )
            )  # fmt: skip

    def _tell(self, run_id: str, together: list[Recorded], first: Difference | None, parting: Parting) -> None:
        named = len(self._runs) < MOST_RUNS
        recorded, run = amounts_of(parting.rest, self._width_ms), parting.script.run
        courses = parting.courses(self._width_ms, named=named)
        bounds = self._sums.add(courses, parting.widest, self._width_ms)
        later = self._sums.recover(recorded, courses)
        if not named:
            return
        status = tuple(dict.fromkeys((courses.first.status, courses.last.status)))
        self._runs.append(
            RunDifference(
                run=run_id,
                automation=run.automation if run is not None else "",
                position=together[0].position,
                first=first,
                attempts=bounds("attempts").minus(recorded.attempts),
                dead_letters=bounds("dead_letters").minus(recorded.dead_letters),
                dispatches=bounds("dispatches").minus(recorded.dispatches),
                status_recorded=str(run.status) if run is not None else "",
                status=status,
                later_ms=later,
                saved=_named(courses.saved),
                unknown=_named(courses.unknown),
                unused=tuple(f"{a.together[0].topic} at {a.together[0].position}" for a in courses.last.unused),
                exact=courses.exact,
            )
        )

    def _report(self) -> WhatIfReport:
        low, high = self._sums.low, self._sums.high

        def both(name: str) -> Bounds:
            same = getattr(self._same, name)
            return Bounds(low=same + getattr(low, name), high=same + getattr(high, name))

        return WhatIfReport(
            from_position=self._after,
            to_position=self._until,
            dropped=tuple(sorted(self._dropped_at)),
            attempts=compared(self._recorded.attempts, both("attempts")),
            retries=compared(self._recorded.retries, both("retries")),
            dead_letters=compared(self._recorded.dead_letters, both("dead_letters")),
            dispatches=compared(self._recorded.dispatches, both("dispatches")),
            completed=compared(self._recorded.completed, both("completed")),
            recoveries=self._sums.recoveries(),
            runs_that_differ=len(self._parted),
            runs=tuple(self._runs),
            bucket_ms=self._width_ms,
            load=load_points(self._recorded, self._same, low, high, self._width_ms),
            inexact_runs=self._sums.inexact,
            assumptions=ASSUMPTIONS,
            notes=tuple(self._notes),
            footing=footing(self._engine, self._until),
        )


def _of_nobody(engine: "Engine", policy: WhatIfPolicy) -> list[str]:
    """A sentence for each automation that the policy names and no run has: a name misspelled changes nothing."""
    asked = "SELECT 1 FROM runs WHERE automation = ? LIMIT 1"
    unknown = [name for name in policy.automations if not engine.views.rows(asked, (name,))]
    why = "is recorded: what the policy says of it changes nothing"
    return [f"no run of automation {name!r} {why}" for name in unknown]


def _named(attempts: set[Named]) -> tuple[str, ...]:
    """Attempts in words: node, generation and number."""
    found = sorted(attempts)[:MOST_NAMED]
    return tuple(f"{node} #{number}" + (f" of generation {g}" if g > 1 else "") for node, g, number, _ in found)


def _nothing(_name: str) -> None:
    """Nobody counts."""
