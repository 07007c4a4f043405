"""Who claims runs, and what of a run it can execute."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from redrive.domain.identity import NodeId, RunId
from redrive.domain.run.attempts import startable
from redrive.domain.run.claims import DEFAULT_LEASE_MS, MAX_LEASE_MS, MIN_LEASE_MS
from redrive.domain.run.holder import Holder
from redrive.domain.run.state import Run
from redrive.domain.values import clean_integer, clean_name
from redrive.processes.outbox import Outbox


@dataclass(slots=True)
class Claimant:
    """Who claims: a worker's name, its process, its lease, the handlers it has (None: any), the one run it is for.
    *claims* counts what this process asks for, so that it takes turns in the line."""

    worker: str
    holder: Holder | None = None
    lease_ms: int = DEFAULT_LEASE_MS
    handlers: Container[str] | None = None
    run: RunId | None = None
    outbox: Outbox | None = None
    claims: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.worker = clean_name(self.worker, "worker")
        clean_integer(self.lease_ms, "lease_ms", MIN_LEASE_MS, MAX_LEASE_MS)

    def can_execute(self, run: Run, node: NodeId) -> bool:
        """Whether this claimant has the handler of *node*."""
        return self.handlers is None or run.flow.nodes[node].handled_by in self.handlers


@dataclass(slots=True)
class _Executable:
    """Those of the *nodes* of a run that *claimant* can execute. It is asked node by node: there may be thousands, and
    room for one."""

    run: Run
    nodes: list[NodeId]
    claimant: Claimant

    def __iter__(self) -> Iterator[NodeId]:
        run, can_execute = self.run, self.claimant.can_execute
        return (node for node in self.nodes if can_execute(run, node))

    def __bool__(self) -> bool:
        return any(True for _ in self)


def executable(run: Run, now_ms: int, claimant: Claimant | None) -> Iterable[NodeId]:
    """The nodes of *run* that may start now, and that *claimant* (None: anybody) can execute; true if there is one."""
    nodes = startable(run, now_ms)
    return nodes if claimant is None or claimant.handlers is None else _Executable(run, nodes, claimant)
