"""Where the history of a run parts from what was recorded, and the courses that it may take from there."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from redrive.domain.event import Recorded
from redrive.domain.identity import RunId
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.run.state import Run
from redrive.forensics.decided_again.recorded_policies import RecordedPolicies
from redrive.forensics.decided_again.streams import FlowOf, recorded_flows
from redrive.forensics.what_if.bounds import Courses, Ends, Named, courses_of, ends_of
from redrive.forensics.what_if.course import Play
from redrive.forensics.what_if.otherwise import OtherFlows
from redrive.forensics.what_if.paper import Choose, Course
from redrive.forensics.what_if.policy_file import WhatIfPolicy
from redrive.forensics.what_if.run_record import RunRecord
from redrive.forensics.what_if.script import Script, script_of
from redrive.forensics.what_if.widest import Widest, widest_of
from redrive.processes.letters import PolicyOf

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger


class Partings:
    """What all runs that part have in common: the policies, the flows with them, and what was *dropped*."""

    def __init__(
        self, ledger: "LogLedger", policy: WhatIfPolicy, flows: OtherFlows, policies: RecordedPolicies,
        usual: PolicyOf, until: int, dropped: Collection[str],
    ) -> None:  # fmt: skip
        self.ledger, self.policy, self.policies, self.usual = ledger, policy, policies, usual
        self.flow_of: FlowOf = flows.flow
        self.recorded_flow: FlowOf = recorded_flows(ledger)
        self._until, self.dropped = until, dropped

    def record(self, run: str) -> RunRecord:
        """What the log holds of a run."""
        return RunRecord(self.ledger, run, self._until)

    def ends(self, run: str, at: int) -> Ends:
        """The course of a run that parted at position *at* on which everything unknown fails, and where it succeeds."""
        return Parting(self, self.record(run), at).ends()


class Parting:
    """One run, which parts at position *at*. *rest* is what was recorded from there on."""

    def __init__(self, partings: Partings, record: RunRecord, at: int) -> None:
        self._partings, self._run, self._at = partings, RunId(record.run), at
        self._events = record.events()
        self._prefix = record.before(at)
        self.rest = self._events[len(self._prefix) :]
        self.script: Script = script_of(self._events, at, partings.recorded_flow, partings.dropped)
        self._named = partings.policies.named(self._events)

    def ends(self) -> Ends:
        """Its two extreme courses."""
        return ends_of(self._play)

    def courses(self, width_ms: int, *, named: bool) -> Courses:
        """Its courses; *named*: with the names of the attempts that were saved, or are unknown."""
        script = self.script
        later: set[Named] = (
            {(*key, nth) for key, tries in script.tried.items() for nth in range(script.begun.get(key, 0), len(tries))}
            if named
            else set()
        )
        return courses_of(self._play, width_ms, later, named=named)

    def widest(self) -> Widest:
        """What none of its courses can exceed."""
        of = self._partings
        return widest_of(self._events, self._at, self.script, of.policy, of.policies, of.ledger)

    def _play(self, choose: Choose) -> Course:
        first: Recorded = self.rest[0]
        return Play(
            self._prefix, self.script, self._run, first.occurred_at_ms, self._partings.flow_of, self._policy_of, choose,
            first.engine,
        ).play()  # fmt: skip

    def _policy_of(self, run: Run) -> RedrivePolicy:
        """The redrive policy: the recorded one, as far as the log names it, changed."""
        return self._partings.policy.redrive(run.automation, self._named or self._partings.usual(run))
