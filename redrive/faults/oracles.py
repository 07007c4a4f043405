"""What must hold of the log when a simulation is over, and of all that is derived from it."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from redrive.domain.dead_letter import events as dl
from redrive.domain.effect import events as f
from redrive.domain.event import Recorded, UnknownEvent
from redrive.domain.identity import RunId, StreamId
from redrive.domain.limits import Rate
from redrive.domain.records import LimitRemoved, LimitSet
from redrive.domain.run import events as e
from redrive.domain.run import wait_events as w
from redrive.domain.run.evolution import evolve
from redrive.domain.run.state import Run
from redrive.faults.acknowledged import Acknowledged
from redrive.faults.flows import policy_of
from redrive.faults.service import Service
from redrive.ledger.agenda_rows import AgendaRow
from redrive.ledger.capacity_rows import usage_of
from redrive.ledger.ledger import LogLedger
from redrive.projections.fold import TABLES
from redrive.projections.view import View


class Observed(Protocol):
    """What is judged: a simulated world, or what real processes that were killed have left."""

    @property
    def observer(self) -> LogLedger:
        """The log."""

    @property
    def acknowledged(self) -> Acknowledged:
        """What was promised."""

    @property
    def told(self) -> Sequence[tuple[int, str]]:
        """Positions and ids of events that listeners heard of."""

    @property
    def service(self) -> Service:
        """What happened outside."""

    @property
    def foreign(self) -> Container[str]:
        """Streams that a newer version has written to."""

    @property
    def live_view(self) -> View:
        """The view that followed."""

    @property
    def rebuilt(self) -> Path:
        """Where another view may be folded."""


Oracle = Callable[[Observed, Sequence[Recorded]], Iterable[str]]


def acknowledged_exactly_once(world: Observed, events: Sequence[Recorded]) -> Iterable[str]:
    """Every acknowledged command is in the log exactly once, every other at most once."""
    return world.acknowledged.broken(events, world.told)


def one_success(_world: Observed, events: Sequence[Recorded]) -> Iterator[str]:
    """A node succeeds once in each generation of its run."""
    generation: Counter[str] = Counter()
    seen: set[tuple[str, int, str]] = set()
    for event in events:
        match event.event:
            case e.RunRequeued():
                generation[event.stream] += 1
            case e.AttemptSucceeded(node=node) | w.ApprovalGiven(node=node) | w.WaitEnded(node=node):
                success = (event.stream, generation[event.stream], node)
                if success in seen:
                    yield f"node {node} of run {event.stream} succeeded twice in generation {success[1]}"
                seen.add(success)


def fenced(_world: Observed, events: Sequence[Recorded]) -> Iterator[str]:
    """Epochs rise by one, and attempts begin and end under the epoch in force, and once each."""
    epochs: Counter[str] = Counter()
    running: dict[tuple[str, str], int] = {}
    interrupted = ("", "", 0)
    for recorded in events:
        event, stream = recorded.event, str(recorded.stream)
        match event:
            case e.RunClaimed(epoch=epoch):
                if epoch != epochs[stream] + 1:
                    yield f"run {stream} went from epoch {epochs[stream]} to {epoch}"
                epochs[stream] = epoch
            case e.AttemptStarted():
                if event.epoch != epochs[stream] or (stream, event.node) in running:
                    yield f"{event.node} of run {stream} was started amid another attempt, or under an old epoch"
                running[stream, event.node] = event.lifetime
            case e.AttemptFailed() if interrupted == (stream, event.node, event.lifetime):
                pass  # it was cut off, and it was the last
            case e.AttemptSucceeded() | e.AttemptFailed() | e.AttemptSnoozed() | e.AttemptInterrupted():
                if event.epoch != epochs[stream] or running.pop((stream, event.node), None) != event.lifetime:
                    yield f"{event.node} of run {stream} ended as attempt {event.lifetime}, which was not running"
                if isinstance(event, e.AttemptInterrupted):
                    interrupted = (stream, event.node, event.lifetime)


def nothing_follows_the_end(_world: Observed, events: Sequence[Recorded]) -> Iterator[str]:
    """Completed and cancelled are final."""
    ended: set[str] = set()
    for recorded in events:
        if recorded.stream in ended and not isinstance(recorded.event, (e.NoteAdded, UnknownEvent)):
            yield f"{recorded.topic} follows the end of run {recorded.stream}"
        if isinstance(recorded.event, (e.RunCompleted, e.RunCancelled)):
            ended.add(recorded.stream)


def sent_once(_world: Observed, events: Sequence[Recorded]) -> Iterator[str]:
    """No effect is intended again while a try is open, or after its success."""
    open_: dict[str, int] = {}
    done: set[str] = set()
    for recorded in events:
        stream = str(recorded.stream)
        match recorded.event:
            case f.EffectIntended(try_number=number):
                if stream in open_ or stream in done:
                    yield f"effect {stream} was intended again, as try {number}"
                open_[stream] = number
            case f.EffectFailed(try_number=number) if open_.get(stream) == number:
                del open_[stream]
            case f.EffectReconciled(outcome="did_not_happen"):
                open_.pop(stream, None)
            case f.EffectSucceeded() | f.EffectReconciled(outcome="succeeded"):
                open_.pop(stream, None)
                done.add(stream)


def done_as_logged(world: Observed, events: Sequence[Recorded]) -> Iterator[str]:
    """The service outside agrees with the log: nothing came unasked, nothing was done twice, nothing is made up."""
    service = world.service
    intended = Counter(event.stream for event in events if isinstance(event.event, f.EffectIntended))
    yield from service.problems()
    for effect, came in service.came.items():
        if came > intended[StreamId(effect)]:
            yield f"effect {effect} came {came} times and was intended {intended[StreamId(effect)]} times"
    for event in events:
        if isinstance(event.event, f.EffectSucceeded) and not service.acted[event.stream]:
            yield f"effect {event.stream} succeeded in the log, and the service never did it"


def within_budget(_world: Observed, events: Sequence[Recorded]) -> Iterator[str]:
    """No dead letter is dispatched more often than policy and grants allow; only a success renews its budget."""
    allowed: Counter[str] = Counter()
    most: dict[str, int] = {}
    for recorded in events:
        stream = str(recorded.stream)
        match recorded.event:
            case dl.DeadLetterOpened(automation=automation):
                most[stream] = allowed[stream] = policy_of(automation).max_dispatches
            case dl.RetryBudgetGranted(granted=more):
                allowed[stream] += more
            case dl.DeadLetterRecurred(renewed=True) | dl.DeadLetterReopened(renewed=True):
                allowed[stream] = most[stream]
            case dl.DeadLetterRetryDispatched():
                allowed[stream] -= 1
                if allowed[stream] < 0:
                    yield f"dead letter {stream} was dispatched beyond its budget"


class _Tokens:
    """What a rate leaves, counted in the simplest way: starts since it was set, each for one token."""

    def __init__(self, rate: Rate | None, at_ms: int) -> None:
        self._rate, self._at_ms = rate, at_ms
        self._left = Fraction(rate.burst if rate else 0)

    def changed_to(self, rate: Rate | None, at_ms: int) -> "_Tokens":
        """What another *rate* leaves; the same one goes on."""
        return self if rate == self._rate else _Tokens(rate, at_ms)

    def take(self, at_ms: int) -> bool:
        """Whether there was a token at that time. A clock that went back brings none."""
        if self._rate is None:
            return True
        gained = Fraction(max(0, at_ms - self._at_ms) * self._rate.tokens, self._rate.period_ms)
        self._left = min(Fraction(self._rate.burst), self._left + gained) - 1
        self._at_ms = max(self._at_ms, at_ms)
        return self._left >= 0


NO_RATE = _Tokens(None, 0)


def within_limits(world: Observed, events: Sequence[Recorded]) -> Iterator[str]:
    """Whenever something starts, no more run than the limits of that moment allow, and no sooner than their rates."""
    limits: dict[str, int | None] = {}
    rates: dict[str, _Tokens] = {}
    in_use: Counter[str] = Counter()
    runs: dict[str, Run] = {}
    for recorded in events:
        event, stream = recorded.event, str(recorded.stream)
        match event:
            case LimitSet(limit=limit):
                limits[limit.key] = limit.concurrency
                rates[limit.key] = rates.get(limit.key, NO_RATE).changed_to(limit.rate, recorded.occurred_at_ms)
            case LimitRemoved(limit=key):
                limits.pop(key, None)
                rates.pop(key, None)
            case e.RunSubmitted(flow=digest):
                runs[stream] = Run(flow=world.observer.committer.states.flow(recorded.tenant, digest), id=RunId(stream))
                runs[stream].tenant = recorded.tenant
        run = runs.get(stream)
        if run is None or isinstance(event, UnknownEvent):
            runs.pop(stream, None)  # its claim, if it had one, was over: see write_as_a_newer_version
            continue
        before = usage_of(run)
        evolve(run, event)
        after = usage_of(run)
        in_use.update(after)
        in_use.subtract(before)
        if isinstance(event, (e.RunClaimed, e.AttemptStarted)):
            for key in sorted((after - before).keys()):
                most = limits.get(key)
                if most is not None and in_use[key] > most:
                    yield f"position {recorded.position}: {in_use[key]} use {key}, {most} may"
                if not rates.get(key, NO_RATE).take(recorded.occurred_at_ms):
                    yield f"position {recorded.position}: {key} has no token left, and something started"


def well_ordered(_world: Observed, events: Sequence[Recorded]) -> Iterator[str]:
    """Positions and versions have no holes, recorded times never go back."""
    heads: Counter[str] = Counter()
    last = 0
    for place, event in enumerate(events, 1):
        heads[event.stream] += 1
        if event.position != place or event.version != heads[event.stream]:
            yield f"position {event.position} (of {place}) has version {event.version} of stream {event.stream}"
        if event.recorded_at_ms < last:
            yield f"position {event.position} was recorded before the one that precedes it"
        last = event.recorded_at_ms


def agenda_as_logged(world: Observed, _events: Sequence[Recorded]) -> Iterator[str]:
    """Agenda and capacity are what the log alone gives. Streams that only a newer version can read are left out."""
    ledger, foreign = world.observer, world.foreign

    def known(rows: Iterable[AgendaRow]) -> set[AgendaRow]:
        return {row for row in rows if row.subject not in foreign and row.run not in foreign}

    kept, logged = known(ledger.agenda_rows()), known(ledger.agenda_from_log())
    if kept != logged:
        yield f"the agenda differs from the log: {sorted(map(repr, kept ^ logged))[:4]}"
    capacity, by_the_log = ledger.capacity(), ledger.capacity_from_log()
    if capacity.rows() != by_the_log.rows:
        yield f"capacity is {capacity.rows()}, by the log {by_the_log.rows}"
    waiters = [row for row in capacity.waiters() if row.run not in foreign]
    if waiters != [row for row in by_the_log.waiters if row.run not in foreign]:
        yield f"who waits is {waiters}, by the log {by_the_log.waiters}"


def views_as_rebuilt(world: Observed, _events: Sequence[Recorded]) -> Iterator[str]:
    """The view that followed equals one that is folded from the whole log at once."""
    live = world.live_view
    live.catch_up()
    with View(world.observer, str(world.rebuilt)) as fresh:
        fresh.catch_up()
        for table in TABLES:
            query = f"SELECT * FROM [{table.name}]"
            if sorted(map(repr, live.rows(query))) != sorted(map(repr, fresh.rows(query))):
                yield f"table {table.name} of the live view differs from a rebuilt one"


ALWAYS: tuple[Oracle, ...] = (
    acknowledged_exactly_once,
    one_success,
    fenced,
    nothing_follows_the_end,
    sent_once,
    done_as_logged,
    within_budget,
    within_limits,
    well_ordered,
    agenda_as_logged,
)


def judge(world: Observed, *, views: bool) -> list[str]:
    """Everything that does not hold; empty when all does."""
    events = [event for batch in world.observer.replay() for event in batch]
    oracles = (*ALWAYS, views_as_rebuilt) if views else ALWAYS
    return [f"{oracle.__name__}: {said}" for oracle in oracles for said in oracle(world, events)]
