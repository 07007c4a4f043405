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
C = TypeVar("C")


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


class _Registry(Generic[C]):
    """Functions by exact event class; a second one for a class is a TypeError, at import."""

    def __init__(self) -> None:
        self.by_class: dict[type[Event], C] = {}

    def add(self, cls: type[Event], function: C) -> None:
        """Register the function of *cls*."""
        if cls in self.by_class:
            raise TypeError(f"{cls.__name__} is folded already")
        self.by_class[cls] = function


class Folds(_Registry[Callable[[Batch, Row, Any, int], None]]):
    """How events of a run's stream change its row, given their position."""

    def on(
        self, cls: type[E]
    ) -> Callable[[Callable[[Batch, Row, E, int], None]], Callable[[Batch, Row, E, int], None]]:
        """Register the fold of *cls*."""

        def register(fold: Callable[[Batch, Row, E, int], None]) -> Callable[[Batch, Row, E, int], None]:
            self.add(cls, fold)
            return fold

        return register


class LetterFolds(_Registry[Callable[[Batch, Row, Any, Recorded], None]]):
    """How events of the stream of a dead letter, effect or compensation change its row; who and why is in their
    envelope."""

    def on(
        self, cls: type[E]
    ) -> Callable[[Callable[[Batch, Row, E, Recorded], None]], Callable[[Batch, Row, E, Recorded], None]]:
        """Register the fold of *cls*."""

        def register(fold: Callable[[Batch, Row, E, Recorded], None]) -> Callable[[Batch, Row, E, Recorded], None]:
            self.add(cls, fold)
            return fold

        return register
