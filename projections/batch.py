"""What one transaction of a fold has in memory: the rows it touches, and what will be written once at its end."""

import contextlib
import gc
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from redrive.domain.event import Event, Recorded
from redrive.domain.records import FlowRegistered
from redrive.projections.graphs import Graph, Graphs
from redrive.projections.tables import Row

E = TypeVar("E", bound=Event)
T = TypeVar("T", int, Recorded)


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector, if it is on, for a bounded piece of work that makes many objects and no cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Batch:
    """Rows by id, as they were and as they become.

    *begun* are the runs that began in the batch, *seen* those that were looked for in the tables. *runs*, *letters*,
    *effects* and *compensations* hold every row that the batch touches, *before* the status each of them had. *waiting*
    holds backoffs by run and node, None for one that is over, *approvals* likewise those that are pending. *texts* are
    (position, body, subject, run, tenant).
    """

    def __init__(self, connection: sqlite3.Connection, graphs: Graphs) -> None:
        self.connection = connection
        self._graphs = graphs
        self.begun: set[str] = set()
        self.seen: set[str] = set()
        self.runs: dict[str, Row] = {}
        self.letters: dict[str, Row] = {}
        self.effects: dict[str, Row] = {}
        self.compensations: dict[str, Row] = {}
        self.before: dict[str, str | None] = {}
        self.waiting: dict[str, dict[str, Row | None]] = {}
        self.approvals: dict[str, dict[str, Row | None]] = {}
        self.flows: list[Row] = []
        self.texts: list[tuple[int, str, str, str, str]] = []
        self.unknown: list[Row] = []
        self.events: Counter[tuple[str, type[Event]]] = Counter()
        self.totals: Counter[tuple[str, str]] = Counter()

    def graph(self, flow: str) -> Graph | None:
        """The graph of *flow*, if this log has it."""
        return self._graphs.get(self.connection, flow)

    def learn(self, event: FlowRegistered, position: int) -> None:
        """Keep the graph of a flow that was registered."""
        row = self._graphs.registered(event, position)
        if row is not None:
            self.flows.append(row)


class Folds(Generic[T]):
    """How events change the row of their stream, by exact event class. A fold is told of a run's event its position,
    of any other's its envelope (*T*): who and why."""

    def __init__(self) -> None:
        self.by_class: dict[type[Event], Callable[[Batch, Row, Any, T], None]] = {}

    def on(self, cls: type[E]) -> Callable[[Callable[[Batch, Row, E, T], None]], Callable[[Batch, Row, E, T], None]]:
        """Register the fold of *cls*; a second one is a TypeError, at import."""

        def register(fold: Callable[[Batch, Row, E, T], None]) -> Callable[[Batch, Row, E, T], None]:
            if cls in self.by_class:
                raise TypeError(f"{cls.__name__} is folded already")
            self.by_class[cls] = fold
            return fold

        return register
