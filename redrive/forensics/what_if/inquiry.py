"""One pass over the log: each decision about a run is made again under another policy, where that may change it."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from redrive.domain.event import Recorded
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.run.events import RunSubmitted
from redrive.domain.run.state import Run
from redrive.forensics.decided_again.recorded_policies import RecordedPolicies
from redrive.forensics.decided_again.replay_check import Difference, difference_of
from redrive.forensics.decided_again.retrial import Differs, Retrial, take, unreadable
from redrive.forensics.decided_again.row_decisions import of_each_run, row_decisions
from redrive.forensics.decided_again.streams import Streams
from redrive.forensics.prefix import Progress
from redrive.forensics.what_if.bounds import Named, amounts_of, exactly
from redrive.forensics.what_if.certain import goes_otherwise
from redrive.forensics.what_if.extent import kept_as_recorded
from redrive.forensics.what_if.findings import Findings
from redrive.forensics.what_if.otherwise import OtherFlows, same_course
from redrive.forensics.what_if.parting import Parting, Partings
from redrive.forensics.what_if.policy_file import WhatIfPolicy
from redrive.forensics.what_if.report import RunDifference
from redrive.forensics.what_if.run_record import RunRecord
from redrive.forensics.what_if.touched import Touched, count_rows
from redrive.ledger.database import Row
from redrive.processes.letters import PolicyOf
from redrive.projections.models import Model

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger

MOST_RUNS, MOST_NAMED = 200, 50
PROGRESS_EVERY = 64


class Question(Model):
    """What is asked: another *policy*, as if the events at the positions *dropped* had not happened, of what was
    recorded up to position *until*. Load over time is told in buckets of *width_ms*."""

    policy: WhatIfPolicy
    dropped: tuple[int, ...]
    until: int
    width_ms: int


class Inquiry:
    """Finds out. *usual* is the redrive policy of a run of which the log names none; *runs* tells of those that differ,
    of the first *most* at most; *courses* is how many courses of runs were played."""

    def __init__(self, ledger: "LogLedger", question: Question, usual: PolicyOf, most: int) -> None:
        self._ledger, self.question, self._width_ms, self._most = ledger, question, question.width_ms, most
        self._flows = OtherFlows(question.policy, ledger.committer.states.flow)
        self._streams = Streams(ledger, self._flows.flow)
        self._policies = RecordedPolicies(ledger)
        drop = ledger.at_positions(question.dropped)
        kept = kept_as_recorded(ledger, drop)
        self._dropped_at = {*question.dropped}
        self._gone = self._dropped_at - kept.keys()
        ids = {recorded.event_id for recorded in drop}
        self._partings = Partings(ledger, question.policy, self._flows, self._policies, usual, question.until, ids)
        self.ends = self._partings.ends
        self._record: RunRecord | None = None
        self.findings = Findings()
        self.runs: list[RunDifference] = []
        self.courses = 0
        self.kept = tuple(kept.values())

    def read(
        self, after: int, share: Callable[[str], bool] | None = None, progress: Progress | None = None,
        enough: Callable[[int], bool] | None = None,
    ) -> int:  # fmt: skip
        """Decide about the runs of a *share* (None: all) beyond position *after*, to the end; or, after a run that
        differs, until it is *enough*. The position where it ended."""
        until = self.question.until
        touched = Touched(self._ledger, self.question.policy, self._flows, self._dropped_at)
        for number, together in enumerate(row_decisions(self._ledger.rows(after, until))):
            at: int = together[-1][0]
            if progress is not None and number % PROGRESS_EVERY == 0:
                progress(at, until)
            decided = [
                self._read(rows, touched) for rows in of_each_run(together) if share is None or share(rows[0][6])
            ]
            if enough is not None and any(decided) and enough(at):
                return at
        if progress is not None:
            progress(until, until)
        return until

    def _read(self, rows: list[Row], touched: Touched) -> bool:
        """Count what one decision wrote of one run; whether it had to be looked at."""
        found = self.findings
        if rows[0][6] in found.parted:
            count_rows((found.recorded,), rows, self._width_ms)
        elif touched.touches(rows):
            count_rows((found.recorded,), rows, self._width_ms)
            self._decide(touched.shown(rows))
            self._streams.shrink()
            return True
        else:
            count_rows((found.recorded, found.same), rows, self._width_ms)
            self._streams.follow(rows)
        return False

    @property
    def has_told(self) -> bool:
        """Whether all runs are told that are to be."""
        return len(self.runs) >= self._most

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
        if why := unreadable(self._streams, together):
            self.findings.kept.setdefault(run, why)
            take(self._streams, together)
        elif self._is_certain(run, together):
            self._part(run, together, None)
            return
        else:
            again = Retrial(self._streams, together, self._flows.flow, same_course)
            try:
                again.try_again(self._policy_of(together), Counter(), Counter())  # nobody asks how many
            except Differs as differs:
                if self._parts(run, together, f"{differs.rule} would go otherwise, but is"):
                    self._part(run, together, None if self.has_told else difference_of(differs, together))
                    return
                again.take_rest()
        for recorded in together:
            self.findings.same.count(recorded, self._width_ms)

    def _is_certain(self, run: str, together: Sequence[Recorded]) -> bool:
        """Whether the decision goes another way, and nobody wants to be told how."""
        if not self.has_told or not self._record_of(run).whole:
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
        note = f"position {at}: {what} of no run that can be read, and was kept as recorded"
        self.findings.notes.append((at, note))
        return False

    def _policy_of(self, together: Sequence[Recorded]) -> Callable[[Run], RedrivePolicy]:
        recorded = self._policies.of(together)
        return lambda run: self.question.policy.redrive(run.automation, recorded(run))

    def _part(self, run_id: str, together: list[Recorded], first: Difference | None) -> None:
        """From here on the history of a run is another one."""
        at = together[0].position
        self.findings.parted[run_id] = at
        for stream in {recorded.stream for recorded in together} | {run_id}:
            self._streams.forget(stream)
        record = self._record_of(run_id)
        parting = Parting(self._partings, record, at)
        for recorded in together:
            if isinstance(recorded.event, RunSubmitted):
                self.findings.gone.add(run_id)
                self._tell_gone(recorded.position, recorded.event, parting)
                return
        self._tell(run_id, together, first, parting)

    def _tell_gone(self, at: int, submitted: RunSubmitted, parting: Parting) -> None:
        """The run was dropped as a whole."""
        if self.has_told:
            return
        recorded, gone = amounts_of(parting.rest, self._width_ms), exactly(0)
        self.runs.append(
            RunDifference(
                run=submitted.run, automation=submitted.automation, position=at, first=None,
                attempts=gone.minus(recorded.attempts), dead_letters=gone.minus(recorded.dead_letters),
                dispatches=gone.minus(recorded.dispatches), status_recorded=_status(parting.script.run),
                status=("never submitted",), later_ms=None, saved=(), unknown=(), unused=(), exact=True,
            )
        )  # fmt: skip

    def _tell(self, run_id: str, together: list[Recorded], first: Difference | None, parting: Parting) -> None:
        named = not self.has_told
        recorded, run = amounts_of(parting.rest, self._width_ms), parting.script.run
        courses = parting.courses(self._width_ms, named=named)
        self.courses += len(courses.amounts)
        sums = self.findings.sums
        bounds = sums.add(courses, parting.widest, self._width_ms)
        later = sums.recover(recorded, courses)
        if not named:
            return
        status = tuple(dict.fromkeys((courses.first.status, courses.last.status)))
        self.runs.append(
            RunDifference(
                run=run_id,
                automation=run.automation if run is not None else "",
                position=together[0].position,
                first=first,
                attempts=bounds("attempts").minus(recorded.attempts),
                dead_letters=bounds("dead_letters").minus(recorded.dead_letters),
                dispatches=bounds("dispatches").minus(recorded.dispatches),
                status_recorded=_status(run),
                status=status,
                later_ms=later,
                saved=_named(courses.saved),
                unknown=_named(courses.unknown),
                unused=tuple(f"{a.together[0].topic} at {a.together[0].position}" for a in courses.last.unused),
                exact=courses.exact,
            )
        )


def _status(run: Run | None) -> str:
    return "" if run is None else str(run.status)


def _named(attempts: set[Named]) -> tuple[str, ...]:
    """Attempts in words: node, generation and number."""
    found = sorted(attempts)[:MOST_NAMED]
    return tuple(f"{node} #{number}" + (f" of generation {g}" if g > 1 else "") for node, g, number, _ in found)
