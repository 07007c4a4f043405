"""The graphs of flows, as far as a fold needs them: which nodes a requeue resets, and one bit for each node."""

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable

from redrive.domain.flow import dependants
from redrive.domain.identity import NodeId
from redrive.domain.records import FlowRegistered
from redrive.projections.tables import Row, Table

MOST_GRAPHS = 256

FLOWS = Table("flows", ("flow",), {"flow": "", "nodes": 0, "parents": "", "created": 0})


class Graph:
    """A flow's nodes, numbered in their order, and their dependants."""

    __slots__ = ("bit", "children")

    def __init__(self, parents: dict[str, list[str]]) -> None:
        self.bit = {node: 1 << number for number, node in enumerate(parents)}
        self.children: dict[NodeId, list[NodeId]] = {}
        for node, after in parents.items():
            for parent in after:
                self.children.setdefault(NodeId(parent), []).append(NodeId(node))

    def reset(self, roots: Iterable[NodeId]) -> set[NodeId]:
        """*roots* and all their dependants."""
        return set(dependants(self.children, roots))

    def bits(self, nodes: Iterable[NodeId]) -> int:
        """The bits of *nodes*, together."""
        chosen = bytearray(len(self.bit) // 8 + 1)  # adding up integers would be quadratic
        for node in nodes:
            place = self.bit.get(node, 0).bit_length() - 1
            if place >= 0:
                chosen[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(chosen, "little")


class Graphs:
    """The graphs that were used last; a flow's digest names its content, so that no rollback makes them wrong."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Graph] = OrderedDict()

    def registered(self, event: FlowRegistered, position: int) -> Row | None:
        """Learn a flow; its row, or None when its document is not one of ours."""
        nodes = event.document.get("nodes") if isinstance(event.document, dict) else None
        if not isinstance(nodes, list):
            return None
        parents: dict[str, list[str]] = {}
        for node in nodes:
            if not isinstance(node, dict) or not isinstance(node.get("id"), str):
                return None
            after = node.get("after")
            parents[str(node["id"])] = [str(p) for p in after] if isinstance(after, list) else []
        self._keep(event.flow, Graph(parents))
        text = json.dumps(parents, ensure_ascii=False, separators=(",", ":"))
        return {"flow": event.flow, "nodes": len(parents), "parents": text, "created": position}

    def get(self, connection: sqlite3.Connection, flow: str) -> Graph | None:
        """The graph of *flow*, if this log has it."""
        if (known := self._known.get(flow)) is not None:
            self._known.move_to_end(flow)
            return known
        rows = FLOWS.load(connection, "flow", [flow])
        return self._keep(flow, Graph(json.loads(rows[0]["parents"]))) if rows else None

    def _keep(self, flow: str, graph: Graph) -> Graph:
        self._known[flow] = graph
        if len(self._known) > MOST_GRAPHS:
            self._known.popitem(last=False)
        return graph
