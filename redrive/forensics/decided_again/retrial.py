"""A retrial: the ordinary code decides again, and what it would write is compared with what it wrote."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import redrive.forensics.decided_again.effect_commands  # noqa: F401  (its commands are known once it is imported)
from redrive.domain.errors import NotFound, Refused
from redrive.domain.event import Event, Recorded, UnknownEvent
from redrive.domain.flow import Flow
from redrive.domain.identity import DeadLetterId, FlowDigest, RunId, Tenant
from redrive.domain.ports import Caller, Subject
from redrive.domain.records import RECORDS, FlowRegistered, PolicyRegistered
from redrive.domain.run.events import AttemptFailed, AttemptInterrupted
from redrive.forensics.decided_again.commands import Given, command_of
from redrive.forensics.decided_again.encrypted_payloads import with_recorded_payload
from redrive.forensics.decided_again.on_paper import OnPaper, S
from redrive.forensics.decided_again.streams import FlowOf, Stream, Streams
from redrive.processes.letters import PolicyOf

UNREADABLE = "about a stream with an event that this version does not know"
ELSEWHERE = "about a record whose beginning is not here"
ERASED = "about payloads whose key was destroyed by then"
Same = Callable[[Event, Event], bool]
_WRITTEN_ONCE: frozenset[type] = frozenset((FlowRegistered, PolicyRegistered))


@dataclass(frozen=True, slots=True)
class Differs(Exception):
    """The *rule* would not write what was *recorded*, but *recomputed* (None: nothing), because of *why*, if told."""

    rule: str
    recorded: Recorded | None
    recomputed: Event | None
    why: str = ""


class Retrial(OnPaper):
    """One recorded decision, made again. Every event that the code appends must be the next that was recorded; then
    it is folded, so that each is folded once."""

    def __init__(self, streams: Streams, together: Sequence[Recorded], flow_of: FlowOf, same: Same) -> None:
        first = together[0]
        super().__init__(Caller(None, first.actor, first.reason, first.causation), first.occurred_at_ms, first.engine)
        self._streams, self._together, self._flow_of, self._same = streams, together, flow_of, same
        self._before = first.position
        self._draws: list[float] | None = None
        self._seen: dict[str, Stream] = {}
        self.at = 0
        self.rule = ""

    def stream_of(self, id_: str) -> Stream | None:
        """A stream as of now."""
        if (seen := self._seen.get(id_)) is not None:  # a command looks at the same stream again and again
            return seen
        stream = self._streams.get(id_, self._before)
        if stream is not None:
            self._seen[id_] = stream
        return stream

    def flow(self, tenant: Tenant, digest: FlowDigest, automation: str) -> Flow:
        """The flow of a run that is submitted."""
        return self._flow_of(tenant, digest, automation)

    def draw(self) -> float:
        """The die as it was recorded: the next of this decision."""
        if self._draws is None:
            self._draws = [d for r in self._together[self.at :] if (d := _draw_of(r.event)) is not None][::-1]
        return self._draws.pop() if self._draws else 0.0

    def due_dead_letters(self, run: RunId) -> Sequence[DeadLetterId]:
        """The dead letters of *run* that are due; of an unknown run, those that this decision is about."""
        if self.find_run(run) is not None:
            return super().due_dead_letters(run)
        return [DeadLetterId(recorded.stream) for recorded in self._together]

    def try_again(self, policy_of: PolicyOf, checked: Counter[str], given: Counter[str]) -> None:
        """Make the decision again, command by command, and count it: *checked*, by rule, or *given*, by why. Raises
        Differs; what was not reached is not folded then."""
        together = self._together
        while self._skip() < len(together):
            began, recorded = self.at, together[self.at]
            rule = command_of(together, began, policy_of)
            if rule is None:
                raise Differs(self.rule or "none", recorded, None, "no rule writes this event here")
            if isinstance(rule, Given):
                given[rule.why] += 1
                self._take()
                continue
            self.rule = rule.name
            try:
                rule.command(self)
            except (Refused, NotFound) as refused:
                raise Differs(rule.name, recorded, None, f"{refused.code}: {refused}") from None
            if self.at == began:
                raise Differs(rule.name, recorded, None, "the rule writes nothing")
            checked[rule.name] += 1

    def take_rest(self) -> None:
        """Fold what was recorded and not reached."""
        while self._skip() < len(self._together):
            self._take()

    def _skip(self) -> int:
        """Pass over flows and policies that were registered in between."""
        together = self._together
        while self.at < len(together) and together[self.at].event.__class__ in _WRITTEN_ONCE:
            self.at += 1
        return self.at

    def _take(self) -> None:
        """Fold the next event as it was recorded."""
        recorded = self._together[self.at]
        if recorded.version == 1:
            self._seen[recorded.stream] = self._streams.begin(recorded)
        if (stream := self.stream_of(recorded.stream)) is not None:
            self._streams.fold(stream, recorded)
        self.at += 1

    def _append(self, id_: str, _subject: Subject, kind: type[S], events: Sequence[Event]) -> S:
        for event in events:
            at = self._skip()
            recorded = self._together[at] if at < len(self._together) else None
            if recorded is None or recorded.stream != id_:
                raise Differs(self.rule, recorded, event)
            again = with_recorded_payload(event, recorded)
            if not self._same(again, recorded.event):  # type: ignore[arg-type]
                raise Differs(self.rule, recorded, again)
            self._take()
        stream = self.stream_of(id_)
        assert stream is not None
        assert isinstance(stream.state, kind)
        return stream.state


def _draw_of(event: Any) -> float | None:
    """The die of an event that was decided with one."""
    if isinstance(event, AttemptInterrupted) or (isinstance(event, AttemptFailed) and event.report != "interrupted"):
        return event.decision.draw
    return None


def unreadable(streams: Streams, together: Sequence[Recorded]) -> str:
    """Why a decision cannot be made again: it is about a stream that this version cannot read in full, about one whose
    beginning an evidence bundle does not hold, or one whose payload was gone by then. Empty when it can be."""
    before = together[0].position
    if streams.erasures.came_before(together[0].correlation, before):
        return ERASED
    seen: set[str] = {one.stream for one in together if one.version == 1}  # what begins here is read with it
    for recorded in together:
        if isinstance(recorded.event, UnknownEvent):
            return UNREADABLE
        if streams.lacks_flow(recorded):
            return ELSEWHERE
        for id_ in () if recorded.event.__class__ in RECORDS else (recorded.stream, recorded.correlation):
            if id_ in seen:
                continue
            seen.add(id_)
            stream = streams.get(id_, before)
            if stream is None or not stream.whole:
                return ELSEWHERE
            if stream.unknown or stream.state is None:
                return UNREADABLE
    return ""


def take(streams: Streams, together: Sequence[Recorded]) -> None:
    """Fold a decision as it was recorded, without making it again."""
    before = together[0].position
    for recorded in together:
        if isinstance(recorded.event, FlowRegistered | PolicyRegistered):
            continue
        if recorded.version == 1:
            streams.begin(recorded)
        if (stream := streams.get(recorded.stream, before)) is not None:
            streams.fold(stream, recorded)
