"""Another course of a run: the ordinary commands, on paper, with recorded outcomes where there are any."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import redrive.forensics.decided_again.effect_commands  # noqa: F401  (its commands are known once it is imported)
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.errors import NotFound, Refused
from redrive.domain.event import Event, Recorded
from redrive.domain.identity import EventId, NodeId, Principal, RunId, StreamId
from redrive.domain.ports import Caller, Subject
from redrive.domain.run import events as e
from redrive.domain.run.attempts import AttemptId, start_attempt
from redrive.domain.run.claims import DEFAULT_LEASE_MS, claim_run
from redrive.domain.run.state import FINAL, Run, Status
from redrive.forensics.decided_again.commands import Given, NoClassifier, command_of
from redrive.forensics.decided_again.streams import FlowOf, Stream, blank
from redrive.forensics.what_if.effects_again import send_again, send_what_failed
from redrive.forensics.what_if.fates import Fates
from redrive.forensics.what_if.paper import Choose, Course, Paper, Started
from redrive.forensics.what_if.script import Asked, Script, Tried, draw_of, news_of
from redrive.forensics.what_if.starts import Starts
from redrive.ledger.agenda_rows import rows_of
from redrive.processes import reports, timers
from redrive.processes.letters import PolicyOf
from redrive.processes.sweep import redriving

WORKER = "counterfactual"
MOST_STEPS = 1_000_000
NEVER = 2**62
_CALLER = Caller(None, Principal("worker", WORKER))


class Play:
    """Plays one run from where the histories part, choosing by *choose* how attempts end that never happened."""

    def __init__(
        self, prefix: Sequence[Recorded], script: Script, run: RunId, begin_ms: int, flow_of: FlowOf,
        policy_of: PolicyOf, choose: Choose, engine: str,
    ) -> None:  # fmt: skip
        self.engine = engine
        self.streams: dict[str, Stream] = {}
        self.course = Course()
        self._script, self.policy_of, self.now = script, policy_of, begin_ms
        for recorded in prefix:
            if recorded.version == 1:
                self.streams[recorded.stream] = Stream(recorded.stream, blank(recorded, flow_of), recorded.position)
            if (stream := self.streams.get(recorded.stream)) is not None:
                stream.fold(recorded.event, recorded.event_id)
        self._position = prefix[-1].position if prefix else 0
        state = self.streams[run].state
        assert isinstance(state, Run)
        self.run = state
        self._ends: dict[NodeId, tuple[int, Tried | None]] = {}
        self._fates = Fates(script, choose, self.course)
        self._starts = Starts(state, script)
        self._news: dict[str, list[int]] = {}
        self._asked = list(script.asked)
        self._swept_at = -1
        self._resume_running()

    def play(self) -> Course:
        """Until nothing more would happen by itself or by what was asked."""
        for _ in range(MOST_STEPS):
            self._starts.bring_up(self.now)
            at, step = self._next()
            if at >= NEVER:
                break
            self.now = max(self.now, at)
            step()
        else:
            self.course.given_up = True
        self.course.unused += self._asked
        self.course.status, self.course.finished_ms = self.run.status, self.run.finished_at_ms
        return self.course

    def write(self, id_: str, subject: Subject, kind: type, event: Event, caller: Caller, now_ms: int) -> None:
        """Write an event down, and fold it."""
        self._position += 1
        stream = self.streams.get(id_)
        if stream is None:
            stream = self.streams[id_] = Stream(id_, kind(tenant=subject.tenant), self._position)
        state = stream.state
        assert state is not None
        event_id = EventId(f"counterfactual-{self._position}")
        recorded = Recorded(
            StreamId(id_), state.version + 1, event, event_id, now_ms, subject.tenant, subject.correlation,
            caller.actor, caller.reason, caller.cause, self.engine, self._position, now_ms,
        )  # fmt: skip
        self.course.events.append(recorded)
        stream.fold(event, event_id)
        if state is self.run:
            self._starts.changed_by(event)
        if news := news_of(id_, event):
            self._news.setdefault(news, []).append(now_ms)

    def _next(self) -> tuple[int, Callable[[], None]]:
        """What happens next, and when. At the same time, what comes first here does."""
        soonest, step = NEVER, _nothing
        for node, (at, _) in self._ends.items():
            if at < soonest:
                soonest, step = at, partial(self._end, node)
        for asked in self._asked:
            if (when := self._asked_at(asked)) is not None and when < soonest:
                soonest, step = when, partial(self._ask, asked)
        run = self.run
        if run.status in FINAL:
            return soonest, step
        if run.timers or run.approvals:
            timed = (*run.timers.values(), *(at for at in run.approvals.values() if at is not None))
            if (due := min(timed, default=NEVER)) < soonest:
                soonest, step = due, self._end_timers
        if run.redrivable and (sweep := self._sweep_due()) is not None and sweep < soonest:
            soonest, step = sweep, self._sweep
        if (start := self._next_start()) is not None and start < soonest:
            soonest, step = start, self._start
        return soonest, step

    def _resume_running(self) -> None:
        """Attempts that run where the histories part end as they did; what was dropped of them is unknown."""
        for node in self.run.running:
            state = self.run.nodes[node]
            tried = self._script.running.get(node)
            key = (node, self.run.generation, state.number)
            if tried is None:
                nth = max(0, self._starts.tried(key) - 1)
                self.course.started.append(Started(key, nth, False, state.started_ms, False))
                self._ends[node] = (state.started_ms + self._duration(node), None)
            elif tried.end is None:
                self._ends[node] = (NEVER, tried)
            else:
                self._ends[node] = (tried.began_ms + tried.duration_ms, tried)

    def _next_start(self) -> int | None:
        """When the next node starts; a queued run is claimed then."""
        run = self.run
        if run.pause_requested or run.stopped_by is not None or run.status not in (Status.QUEUED, Status.RUNNING):
            return None
        if run.status is Status.QUEUED and run.due_ms is None and not run.held_by:
            return None
        soonest = self._starts.soonest()
        return None if soonest is None else max(soonest, self.now)

    def _start(self) -> None:
        run, now = self.run, self.now
        paper = self._paper()
        if run.status is Status.QUEUED:
            try:
                claimed = claim_run(run, worker=WORKER, holder=None, lease_ms=DEFAULT_LEASE_MS, now_ms=now)
            except Refused:  # it is due later than its nodes
                self.now = max(now + 1, run.due_ms or now + 1)
                return
            paper.append_run(run, claimed)
        for node in self._starts.due(now):
            self._start_node(paper, node)

    def _start_node(self, paper: Paper, node: NodeId) -> None:
        run, now = self.run, self.now
        event = start_attempt(run, node, epoch=run.epoch, now_ms=now)
        key = (node, run.generation, event.number)
        nth = self._starts.begin(node, key)
        paper.append_run(run, event)
        tried = self._script.outcome(key, nth)
        again = event.lifetime > 1
        self.course.started.append(Started(key, nth, tried is not None, now, again))
        if tried is None:
            self._ends[node] = (now + self._duration(node), None)
        else:
            self._ends[node] = (NEVER if tried.end is None else now + tried.duration_ms, tried)

    def _duration(self, node: NodeId) -> int:
        return self._script.durations.get(node, 0)

    def _end(self, node: NodeId) -> None:
        _, tried = self._ends.pop(node)
        run, state = self.run, self.run.nodes[node]
        attempt = AttemptId(run.id, node, state.number, state.lifetime, run.epoch)
        if node not in run.running:
            return
        if tried is None:
            failure = self._fates.end(run, node, self.now)
            command: Any = reports.completing(attempt, None, self.policy_of)
            if failure is None:
                send_what_failed(self, attempt, self._script.intents)
            else:
                command = reports.failing(attempt, failure, self.policy_of, NoClassifier())
            self.do(command)
            return
        for effect in tried.effects:
            send_again(self, effect, attempt)
        self.do(self._reporting(attempt, tried.end), draw=draw_of(tried.end))

    def _reporting(self, attempt: AttemptId, end: Any) -> Callable[[Any], object]:
        if isinstance(end, e.AttemptSucceeded):
            return reports.completing(attempt, end.output, self.policy_of)
        if isinstance(end, e.AttemptSnoozed):
            return reports.snoozing(attempt, end.delay_ms)
        return reports.failing(attempt, end.decision.failure, self.policy_of, NoClassifier())

    def _asked_at(self, asked: Asked) -> int | None:
        """When somebody would have asked for this; None while there is nothing yet that they answered."""
        if asked.nth < 0:
            return max(asked.at_ms, self.now)
        news = self._news.get(asked.about, ())
        return max(news[asked.nth] + asked.reaction_ms, self.now) if asked.nth < len(news) else None

    def _ask(self, asked: Asked) -> None:
        self._asked.remove(asked)
        first = asked.together[0]
        caller = Caller(None, first.actor, first.reason, first.causation)
        rule = command_of(asked.together, 0, self.policy_of)
        if isinstance(rule, Given):
            return
        if rule is None or not self.do(rule.command, caller):
            self.course.unused.append(asked)

    def _end_timers(self) -> None:
        self.do(timers.ending(self.run.id, self.policy_of))

    def _sweep_due(self) -> int | None:
        if self._swept_at == len(self.course.events) or not self.run.redrivable:
            return None
        dues: list[int] = []
        for id_ in (*self.run.dead_letters.values(), *self.run.effect_letters.values()):
            stream = self.streams.get(id_)
            if stream is not None and isinstance(stream.state, DeadLetter):
                rows = rows_of(stream.state, stream.created, self.engine, lambda _id: self.run)
                dues += [row.due_ms for row in rows if row.due_ms is not None]
        return max(min(dues), self.now) if dues else None

    def _sweep(self) -> None:
        before = len(self.course.events)
        self.do(redriving(self.run.id, self.policy_of, self.engine))
        self._swept_at = before if len(self.course.events) == before else -1

    def do(self, command: Callable[[Any], object], caller: Caller | None = None, draw: float = 0.5) -> bool:
        """Carry out a command on paper; whether it was not refused."""
        try:
            command(self._paper(caller, draw))
        except (Refused, NotFound):
            return False
        return True

    def _paper(self, caller: Caller | None = None, draw: float = 0.5) -> Paper:
        return Paper(self, caller or _CALLER, self.now, draw)


def _nothing() -> None:
    """Nothing happens any more."""
