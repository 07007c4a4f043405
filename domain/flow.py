"""Flows: directed graphs of nodes, content-addressed and frozen once a run uses them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from types import MappingProxyType, NoneType
from typing import Any

from redrive.domain.errors import InvalidFlow, InvalidValue
from redrive.domain.identity import FlowDigest, NodeId, PolicyId
from redrive.domain.limits import keys_of_node
from redrive.domain.retry_policy import RetryPolicy
from redrive.domain.stateful_wait import Approval, Wait
from redrive.domain.values import MAX_TIMEOUT_MS, JsonValue, clean_integer, clean_json, clean_name, digest

DEFAULT_RETRY = RetryPolicy()


@dataclass(frozen=True, slots=True)
class Node:
    """A step of a flow.

    *after* names its parents; *handler* what executes it (default: its id); *params* is configuration that
    its handler reads; *input* is data for it; *resource* and *provider* what it uses outside, which may be limited;
    *timeout_ms* limits an attempt. With an *approval* or a *wait* the engine itself executes the node, without a
    handler.
    """

    id: str
    after: Sequence[str] = ()
    retry: RetryPolicy = DEFAULT_RETRY
    handler: str | None = None
    resource: str | None = None
    timeout_ms: int | None = None
    input: Any = None
    params: Any = None
    approval: Approval | None = None
    wait: Wait | None = None
    provider: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", clean_name(self.id, "node.id"))
        if not isinstance(self.after, (str, list, tuple, set, frozenset, dict)):
            raise InvalidValue("node.after", self.after, "ids of nodes")
        parents = (self.after,) if isinstance(self.after, str) else tuple(self.after)
        object.__setattr__(self, "after", tuple(dict.fromkeys(clean_name(name, "node.after") for name in parents)))
        for field in ("handler", "resource", "provider"):
            if getattr(self, field) is not None:
                object.__setattr__(self, field, clean_name(getattr(self, field), f"node.{field}"))
        if self.timeout_ms is not None:
            clean_integer(self.timeout_ms, "node.timeout_ms", 1, MAX_TIMEOUT_MS)
        if not isinstance(self.retry, RetryPolicy):
            raise InvalidValue("node.retry", self.retry, "a RetryPolicy")
        object.__setattr__(self, "input", clean_json(self.input, f"input of node {self.id!r}"))
        object.__setattr__(self, "params", clean_json(self.params, f"params of node {self.id!r}"))
        if self.approval is not None or self.wait is not None:
            self._check_stateful_wait()

    def _check_stateful_wait(self) -> None:
        for field, cls in (("approval", Approval), ("wait", Wait)):
            if not isinstance(getattr(self, field), (cls, NoneType)):
                raise InvalidValue(f"node.{field}", getattr(self, field), f"{cls.__name__}(…)")
        if self.approval is not None and self.wait is not None:
            raise InvalidValue("node.wait", self.wait, f"nothing beside the approval of node {self.id!r}")
        for field in ("handler", "resource", "provider", "timeout_ms", "input", "params"):
            if (value := getattr(self, field)) is not None:
                raise InvalidValue(f"node.{field}", value, f"nothing: the engine itself executes node {self.id!r}")

    @property
    def is_stateful_wait(self) -> bool:
        """Whether the engine itself executes this node: an approval or a timed wait."""
        return self.approval is not None or self.wait is not None

    @property
    def handled_by(self) -> str:
        """The name of the handler that executes this node, unless it is an approval or a timed wait."""
        return self.handler or self.id

    @property
    def limit_keys(self) -> tuple[str, ...]:
        """The limits that bind when an attempt of it starts, where they exist."""
        return keys_of_node(self.resource, self.provider)

    def document(self) -> dict[str, JsonValue]:
        """The node as JSON, without what is at its default; its policy by id."""
        body: dict[str, JsonValue] = {"id": self.id}
        if self.after:
            body["after"] = list(self.after)
        if self.retry != DEFAULT_RETRY:
            body["retry"] = self.retry.id
        for field in ("handler", "resource", "provider", "timeout_ms", "input", "params"):
            if (value := getattr(self, field)) is not None:
                body[field] = value
        for part in (self.approval, self.wait):
            if part is not None:
                body[type(part).__name__.lower()] = part.document()
        return body


class Flow:
    """A checked graph. Raises InvalidFlow for an empty one, a duplicate id, a dangling parent, a cycle."""

    __slots__ = ("__dict__", "children", "nodes")

    def __init__(self, nodes: Iterable[Node]) -> None:
        known: dict[NodeId, Node] = {}
        if not isinstance(nodes, Iterable):
            raise InvalidFlow("nodes", nodes, "Nodes")
        for place, node in enumerate(nodes):
            if not isinstance(node, Node):
                raise InvalidFlow(f"nodes[{place}]", node, "a Node, such as Node('fetch')")
            if known.setdefault(NodeId(node.id), node) is not node:
                raise InvalidFlow("node.id", node.id, "each node id once")
        self.nodes: Mapping[NodeId, Node] = MappingProxyType(known)
        if not known:
            raise InvalidFlow("nodes", [], "at least one node")
        self.children: dict[NodeId, list[NodeId]] = {node: [] for node in self.nodes}
        for id_, node in self.nodes.items():
            for parent in node.after:
                if parent not in self.children:
                    raise InvalidFlow(f"after of node {node.id!r}", parent, _known(parent, self.nodes))
                self.children[NodeId(parent)].append(id_)
        if cycle := find_cycle(self.nodes, self.children):
            raise InvalidFlow("after", " → ".join(cycle[:20]), "a graph without cycles")

    def __len__(self) -> int:
        return len(self.nodes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Flow) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[type["Flow"], tuple[list[Node]]]:
        """Between processes as its nodes: they are checked again where they arrive."""
        return Flow, (list(self.nodes.values()),)

    @cached_property
    def policies(self) -> dict[PolicyId, RetryPolicy]:
        """The retry policies of the nodes, each once."""
        return {node.retry.id: node.retry for node in self.nodes.values()}

    @cached_property
    def digest(self) -> FlowDigest:
        """SHA-256 of the flow's document: its name."""
        return FlowDigest(digest(self.document()))

    def document(self) -> dict[str, JsonValue]:
        """The flow as JSON: nodes in order, policies by id."""
        used = sorted((id_, policy) for id_, policy in self.policies.items() if policy != DEFAULT_RETRY)
        return {
            "version": 1,
            "nodes": [node.document() for node in self.nodes.values()],
            "policies": {id_: policy.document() for id_, policy in used},
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Flow":
        """The flow that ``document()`` described."""
        policies = {id_: RetryPolicy(**body) for id_, body in document["policies"].items()}
        policies[DEFAULT_RETRY.id] = DEFAULT_RETRY
        bodies = ({**body, "retry": policies[body.get("retry", DEFAULT_RETRY.id)]} for body in document["nodes"])
        return cls(_recorded(body) for body in bodies)


def dependants(children: Mapping[NodeId, Sequence[NodeId]], roots: Iterable[NodeId]) -> list[NodeId]:
    """*roots* and all their transitive dependants, each once. Iterative; terminates on cycles."""
    found = dict.fromkeys(roots)
    waiting = list(found)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found[child] = None
                waiting.append(child)
    return list(found)


def find_cycle(nodes: Mapping[NodeId, Node], children: Mapping[NodeId, Sequence[NodeId]]) -> list[str]:
    """The ids along one cycle, the first repeated at the end; empty when there is none. Iterative."""
    unmet = {id_: len(node.after) for id_, node in nodes.items()}
    free = [id_ for id_, count in unmet.items() if count == 0]
    while free:
        id_ = free.pop()
        del unmet[id_]
        for child in children[id_]:
            unmet[child] -= 1
            if unmet[child] == 0:
                free.append(child)
    if not unmet:
        return []
    path: dict[NodeId, None] = {}
    here = next(iter(unmet))
    while here not in path:
        path[here] = None
        here = NodeId(next(parent for parent in nodes[here].after if parent in unmet))
    walked = list(path)
    circle = walked[walked.index(here) :]
    return [*reversed(circle), circle[-1]]


def _recorded(body: Mapping[str, Any]) -> Node:
    """A node as a flow records it. A provider beside an approval, which was let pass once, is a part of its digest."""
    parts: dict[str, Callable[..., Approval | Wait]] = {"approval": Approval, "wait": Wait}
    waits = {name: part(**body[name]) for name, part in parts.items() if name in body}
    node = Node(**{**body, **waits, "provider": None if waits else body.get("provider")})
    object.__setattr__(node, "provider", body.get("provider"))
    return node


def _known(name: str, nodes: Mapping[NodeId, Node]) -> str:
    near = get_close_matches(name, nodes, n=1)
    return "the id of a node of this flow" + (f" (did you mean {near[0]!r}?)" if near else "")
