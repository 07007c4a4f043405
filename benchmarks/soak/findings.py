"""What the log and the shop's journal say when the soak test is over: figures, and what must hold."""

from collections import Counter
from dataclasses import dataclass, field

from redrive import Engine
from redrive.demo.service import Call, Service
from redrive.domain.effect import events as f
from redrive.domain.run import events as e
from tests.engine.model import check_log, check_views


@dataclass
class Findings:
    """Figures by topic, and what one pass over the log finds."""

    topics: Counter[str] = field(default_factory=Counter)
    intended: Counter[str] = field(default_factory=Counter)
    succeeded: set[str] = field(default_factory=set)
    sent_after_success: int = 0
    most_at_a_time: int = 0
    broken: list[str] = field(default_factory=list)
    asked: int = 0
    duplicates: int = 0
    begun: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    forgotten: int = 0

    @property
    def events(self) -> int:
        """How many events the log has."""
        return sum(self.topics.values())


def findings(engine: Engine, service: Service, limit: int | None) -> Findings:
    """Read the log once, compare it with the shop's journal, and check every invariant."""
    found = Findings()
    _read(engine, found)
    _compare(found, service)
    unsettled = engine.local.runs(status=["queued", "running", "paused", "failed", "blocked"], limit=1_000).items
    found.broken += [f"run {run.run_id} is {run.status}" for run in unsettled]
    if limit is not None and found.most_at_a_time > limit:
        found.broken.append(f"{found.most_at_a_time} attempts at a time, where {limit} are allowed")
    for name, check in (("the log", check_log), ("views and agenda", check_views)):
        try:
            check(engine)
        except AssertionError as error:
            found.broken.append(f"{name}: {error or 'an invariant does not hold'}")
    return found


def _read(engine: Engine, found: Findings) -> None:
    running: dict[str, set[str]] = {}
    at_a_time = 0
    for event in (event for batch in engine.ledger.replay() for event in batch):
        found.topics[event.topic] += 1
        match event.event:
            case e.RunSubmitted():
                found.begun[event.stream] += 1
            case f.EffectIntended():
                found.intended[event.stream] += 1
                found.sent_after_success += event.stream in found.succeeded
            case f.EffectSucceeded() | f.EffectReconciled(outcome="succeeded"):
                found.succeeded.add(event.stream)
            case e.AttemptStarted(node=node):
                running.setdefault(event.stream, set()).add(node)
                at_a_time += 1
                found.most_at_a_time = max(found.most_at_a_time, at_a_time)
            case e.AttemptSucceeded(node=node) | e.AttemptFailed(node=node) | e.AttemptInterrupted(node=node):
                running[event.stream].discard(node)
                at_a_time -= 1


def _compare(found: Findings, service: Service) -> None:
    """The journal against the log: nothing came that was not intended, nothing was done that the log does not know."""
    came: Counter[str] = Counter(call.key for call in service.calls())
    acted: Counter[str] = Counter(call.key for call in service.calls() if call.acted)
    found.asked = came.total()
    found.duplicates = sum(came[key] - 1 for key in came if came[key] > 1)
    found.broken += [f"effect {key} came {n} times, intended {found.intended[key]}" for key, n in came.items()
                     if n > found.intended[key]]  # fmt: skip
    found.broken += [f"effect {key} was done {n} times" for key, n in acted.items() if n > 1]
    found.broken += [f"effect {key} succeeded, and the shop never did it" for key in found.succeeded - acted.keys()]
    forgotten = acted.keys() - found.succeeded
    found.forgotten = len(forgotten)
    found.broken += [f"effect {key} was done, and the log does not know" for key in forgotten]
    found.faults.update(name for call in service.calls() if (name := _fault(call)) is not None)
    if found.sent_after_success:
        found.broken.append(f"{found.sent_after_success} effects were sent after a recorded success")


def _fault(call: Call) -> str | None:
    """What was wrong with an answer of the shop."""
    if call.status is None:
        return "acted, and did not answer" if call.acted else "did not act, and did not answer"
    if call.status < 500:
        return None
    return f"acted, and answered {call.status}" if call.acted else f"answered {call.status}"
