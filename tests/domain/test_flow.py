"""Flows: checked graphs, named by their content; what depends on what."""

import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from redrive.domain.errors import InvalidFlow, InvalidValue
from redrive.domain.flow import Flow, Node, dependants, find_cycle
from redrive.domain.identity import NodeId
from redrive.domain.retry_policy import RetryPolicy
from tests.domain.facts import line, policy


def a(*ids: str) -> list[NodeId]:
    """These node ids."""
    return [NodeId(id_) for id_ in ids]


def graph(**children: str) -> dict[NodeId, list[NodeId]]:
    """``graph(a="bc")``: b and c come after a."""
    return {NodeId(node): a(*names) for node, names in children.items()}


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ([], "at least one node"),
        ([Node("a"), Node("a")], "each node id once"),
        ([Node("a"), Node("fetch", after=["a", "b"])], "after of node 'fetch': 'b'"),
        ([Node("fetch"), Node("b", after="fetsh")], "did you mean 'fetch'"),
        ([Node("a", after="a")], "a → a"),
        ([Node("a", after="c"), Node("b", after="a"), Node("c", after="b")], "without cycles"),
        ([Node("in"), Node("a", after=["in", "b"]), Node("b", after="a"), Node("out", after="b")], "without cycles"),
    ],
)
def test_a_graph_that_cannot_be_run_is_refused(nodes: list[Node], says: str) -> None:
    """Better at registration than in the night."""
    with pytest.raises(InvalidFlow, match=says):
        Flow(nodes)


def test_a_cycle_is_named_along_its_edges() -> None:
    """The message shows the way round, parents before children, so that it can be cut."""
    three = (Node("x"), Node("a", after=["x", "b"]), Node("b", after="c"), Node("c", after="a"))
    nodes = {NodeId(node.id): node for node in three}
    cycle = find_cycle(nodes, graph(x="a", a="c", c="b", b="a"))
    assert cycle[0] == cycle[-1]
    assert set(cycle) == {"a", "b", "c"}
    assert all(parent in nodes[NodeId(child)].after for parent, child in pairwise(cycle))


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ""},
        {"id": 3},
        {"after": [""]},
        {"handler": " "},
        {"resource": "x" * 600},
        {"timeout_ms": 0},
        {"timeout_ms": True},
        {"retry": {"max_attempts": 3}},
        {"input": float("nan")},
        {"params": {"a": 2**53}},
    ],
)
def test_a_node_is_checked_at_the_boundary(fields: dict[str, Any]) -> None:
    """Everything in a node ends in a digest and in the log."""
    with pytest.raises(InvalidValue):
        Node(**{"id": "a", **fields})


def test_texts_of_a_node_can_always_be_digested() -> None:
    """A surrogate in a name must not surface as an encoding error at submit."""
    flow = Flow([Node("\ud800", handler="\ud800", resource="\ud800"), Node("b", after="\ud800")])
    assert flow.nodes[NodeId("\ufffd")].handled_by == "\ufffd"
    assert len(flow.digest) == 64


def test_a_parent_named_twice_counts_once() -> None:
    """Otherwise its success would count twice, too, and the counter would miss the mark."""
    flow = Flow([Node("a"), Node("b", after=["a", "a"])])
    assert flow.nodes[NodeId("b")].after == ("a",)
    assert flow.children[NodeId("a")] == ["b"]


def test_a_flow_reads_back_from_its_document() -> None:
    """Runs of years ago are replayed with the flow that they used."""
    nodes = [Node("a", retry=policy(7, delay_ms=5), params={"k": [1]}), Node("b", after="a", handler="h", timeout_ms=9)]
    flow = Flow(nodes)
    again = Flow.from_document(flow.document())
    assert again == flow
    assert hash(again) == hash(flow)
    assert again.nodes == flow.nodes


@pytest.mark.parametrize(
    "other",
    [Node("a", input=1), Node("a", handler="h"), Node("a", retry=policy(2)), Node("a", resource="r"), Node("b")],
)
def test_another_content_is_another_flow(other: Node) -> None:
    """The same run key with another flow must be told from a repeat."""
    assert Flow([Node("a")]) != Flow([other])


def test_what_is_at_its_default_does_not_change_the_name() -> None:
    """Writing a default out must not make another flow."""
    assert Flow([Node("a")]) == Flow([Node("a", after=[], retry=RetryPolicy(max_attempts=3), input=None)])


@pytest.mark.parametrize(
    ("roots", "found"),
    [("a", "abcd"), ("b", "bd"), ("d", "d"), ("bc", "bcd"), ("ab", "abcd"), ("", ""), ("dd", "d")],
)
def test_dependants_are_the_roots_and_all_that_follows(roots: str, found: str) -> None:
    """A diamond: each once, and no sibling."""
    assert sorted(dependants(graph(a="bc", b="d", c="d", d=""), a(*roots))) == a(*found)


def test_dependants_terminate_on_cycles() -> None:
    """Imported graphs are not checked like ours."""
    assert sorted(dependants(graph(a="b", b="ca", c="c"), a("b"))) == a("a", "b", "c")


def test_a_chain_of_ten_thousand_nodes_is_fast() -> None:
    """Neither recursion nor quadratic work, which would take minutes: the reset set of a long chain takes a moment."""
    begun = time.process_time()
    flow = line(*(f"n{number}" for number in range(10_000)))
    assert len(dependants(flow.children, a("n0"))) == 10_000
    assert len(dependants(flow.children, a("n9999", "n5000"))) == 5_000
    assert time.process_time() - begun < 10.0


@settings(max_examples=60, deadline=None)
@for_all(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=20), st.sets(st.integers(0, 8)))
def test_dependants_are_the_reachable_nodes(edges: list[tuple[int, int]], roots: set[int]) -> None:
    """Against the plain definition, on graphs of every shape, cycles included."""
    children = graph(**{str(n): "".join({str(to) for source, to in edges if source == n}) for n in range(9)})
    reached = set(roots)
    for _ in range(9):
        reached |= {to for source, to in edges if source in reached}
    assert set(dependants(children, a(*map(str, roots)))) == set(a(*map(str, reached)))
