"""When the nodes of a course may start: kept in order of time, and brought up to what its events change."""

from heapq import heappop, heappush
from itertools import chain

from redrive.domain.event import Event
from redrive.domain.identity import NodeId
from redrive.domain.run.state import Run
from redrive.forensics.what_if.readiness import Changed
from redrive.forensics.what_if.script import Key, Script


class Starts:
    """The nodes of *run* that are ready or wait, each with the time from when on it may start: when it was ready, later
    by the recorded delay of the same attempt, if it was recorded."""

    def __init__(self, run: Run, script: Script) -> None:
        self._run, self._script = run, script
        self._ready = dict(script.ready_ms)
        self._begun = dict(script.begun)
        self._at: dict[NodeId, int] = {}
        self._line: list[tuple[int, NodeId]] = []
        self._changed = Changed()

    def changed_by(self, event: Event) -> None:
        """*event* of the run was folded."""
        self._changed.by(event, self._run)

    def bring_up(self, now_ms: int) -> None:
        """Look at what was changed since; what is ready only now is so since *now_ms*."""
        run = self._run
        for node in self._changed.look(run, self._at):
            if node in run.waiting:
                self._ready[node] = run.waiting[node]
            elif node in run.ready:
                self._ready.setdefault(node, now_ms)
            else:
                self._at.pop(node, None)
                continue
            at = self._start_at(node)
            if self._at.get(node) != at:
                self._at[node] = at
                heappush(self._line, (at, node))

    def soonest(self) -> int | None:
        """When the next node may start; None: there is none."""
        line = self._line
        while line and self._at.get(line[0][1]) != line[0][0]:
            heappop(line)
        return line[0][0] if line else None

    def due(self, now_ms: int) -> list[NodeId]:
        """The nodes that may start now, in the order in which the run lists them."""
        found: list[tuple[int, NodeId]] = []
        while (at := self.soonest()) is not None and at <= now_ms:
            found.append(heappop(self._line))
        for entry in found:  # until they are started
            heappush(self._line, entry)
        left = {node for _, node in found}
        ordered: list[NodeId] = []
        for node in chain(self._run.ready, self._run.waiting) if len(left) > 1 else left:
            if node in left:
                ordered.append(node)
                if len(ordered) == len(left):
                    break
        return ordered

    def begin(self, node: NodeId, key: Key) -> int:
        """Note that *node* was started; how often *key* was tried before."""
        nth = self.tried(key)
        self._begun[key] = nth + 1
        self._ready.pop(node, None)
        return nth

    def tried(self, key: Key) -> int:
        """How often *key* was tried."""
        return self._begun.get(key, 0)

    def _start_at(self, node: NodeId) -> int:
        run = self._run
        key = (node, run.generation, run.nodes[node].next_number)
        tried = self._script.outcome(key, self.tried(key))
        ready = self._ready[node]
        return max(ready + (tried.delay_ms if tried is not None else 0), run.waiting.get(node, ready))
