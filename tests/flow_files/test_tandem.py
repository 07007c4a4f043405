"""Tandem automation documents: the graph, its approvals and timers; nothing is executed."""

import json
from typing import Any

import pytest

from redrive.domain.errors import InvalidFlow, InvalidValue
from redrive.domain.flow import DEFAULT_RETRY, Node
from redrive.domain.retry_policy import RetryPolicy
from redrive.domain.stateful_wait import Approval, Wait
from redrive.flow_files import FlowFile, parse_flow


def parsed(*nodes: dict[str, Any], **keys: Any) -> FlowFile:
    """The workflow of an automation with these nodes."""
    return parse_flow(json.dumps({"automation_id": "auto-1", "flow": {"nodes": nodes}, **keys}), name="x.json")


def only(**keys: Any) -> Node:
    """The one node of an automation."""
    (node,) = parsed({"node_id": "a", **keys}).flow.nodes.values()
    return node


def test_a_graph_is_read_and_nothing_in_it_is_executed() -> None:
    """Nodes are simulated; agents and objectives are not ours."""
    file = parsed(
        {"node_id": "a", "agent_id": "x", "objective": "think", "timeout_ms": 9},
        {"node_id": "b", "depends_on": ["a"]},
    )
    assert (file.kind, file.automation, file.imports) == ("tandem", "auto-1", ())
    a, b = file.flow.nodes.values()
    assert (a.handler, a.timeout_ms, a.retry, b.after) == ("redrive.simulate", 9, DEFAULT_RETRY, ("a",))


def test_retry_policies_are_normalised() -> None:
    """As any document of another system: camelCase, nested or flat, nonsense ignored."""
    document = {"maxAttempts": 5, "backoff": {"strategy": "fixed", "initialDelayMs": 100}, "nonsense": None}
    assert only(retry_policy=document).retry == RetryPolicy.from_document(document)  # type: ignore[arg-type]
    assert only(retry_policy=document).retry.max_attempts == 5


@pytest.mark.parametrize(
    ("keys", "approval"),
    [
        ({"gate": {"required": True, "instructions": "sure?"}}, Approval("sure?")),
        ({"gate": {"required": True, "expiry_policy": {"expires_after_ms": 5}}, "objective": "o"}, Approval("o", 5)),
        ({"stage_kind": "approval"}, Approval("a")),
        ({"wait": {"kind": "approval", "decisions": ["approve"], "expires_after_ms": 7}}, Approval("a", 7)),
        ({"wait": {"kind": "approval", "timeout": {"expires_after_ms": 8, "on_timeout": "cancel"}}}, Approval("a", 8)),
        ({"gate": {"required": False}}, None),
    ],
)
def test_gates_and_approval_waits_are_approvals(keys: dict[str, Any], approval: Approval | None) -> None:
    """With the prompt that is nearest to what a person is asked, and the time that they have."""
    assert only(**keys).approval == approval


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        ({"kind": "timer", "delay_ms": 60_000, "timeout": {"expires_after_ms": 1}}, Wait(delay_ms=60_000)),
        ({"kind": "timer", "wake_at": {"source": "literal", "value": 99}}, Wait(until_ms=99)),
    ],
)
def test_timers_are_timed_waits(wait: dict[str, Any], expected: Wait) -> None:
    """For a delay, or until a moment."""
    assert only(wait=wait).wait == expected


def test_ignored_keys_are_listed_with_their_path() -> None:
    """Whoever imports a file learns what it lost."""
    file = parsed(
        {"node_id": "a", "agent_id": "x", "wait": {"kind": "timer", "delay_ms": 1, "timeout": {}}},
        {"node_id": "b", "gate": {"required": True, "decisions": [], "expiry_policy": {"on_expiry": "x"}}},
        agents=[],
    )
    assert file.ignored == (
        "agents",
        "flow.nodes[].agent_id",
        "flow.nodes[].gate.decisions",
        "flow.nodes[].gate.expiry_policy.on_expiry",
        "flow.nodes[].wait.timeout",
    )


def test_what_says_nothing_is_listed_too() -> None:
    """Junk in a retry policy, an objective that nobody is asked, the timeout of a wait; null says nothing."""
    policy = {"max_attempts": "many", "retry_on": ["x"], "maxElapsedMs": 5, "jitter_ms": None}
    nested = {"backoff": {"strategy": "fixed", "initialDelayMs": -1}, "terminal_behavior": 5, "max_attempts": 3}
    file = parsed(
        {"node_id": "a", "objective": "think", "retry_policy": policy},
        {"node_id": "b", "retry_policy": nested, "timeout_ms": 5, "wait": {"kind": "timer", "delay_ms": 1}},
    )
    assert file.ignored == (
        "flow.nodes[].objective",
        "flow.nodes[].retry_policy.backoff.initialDelayMs",
        "flow.nodes[].retry_policy.max_attempts",
        "flow.nodes[].retry_policy.retry_on",
        "flow.nodes[].retry_policy.terminal_behavior",
        "flow.nodes[].timeout_ms",
    )


@pytest.mark.parametrize(("keys", "listed"), [({}, False), ({"gate": {"required": True, "instructions": "?"}}, True)])
def test_an_objective_that_is_a_prompt_is_not_ignored(keys: dict[str, Any], listed: bool) -> None:
    """Unless the gate has instructions, which come first."""
    file = parsed({"node_id": "a", "objective": "sure?", "stage_kind": "approval", **keys})
    assert ("flow.nodes[].objective" in file.ignored) is listed


@pytest.mark.parametrize(
    ("nodes", "field", "accepted"),
    [
        ([], "flow.nodes", "at least one node"),
        ([{"node_id": "a"}, {"node_id": "a"}], "flow.nodes[1].id", "has it already"),
        ([{"node_id": "a", "depends_on": ["b"]}], "flow.nodes[0].depends_on[0]", "the id of a node"),
        ([{"node_id": "a", "depends_on": ["a"]}], "after", "without cycles"),
        ([{"node_id": 1}], "flow.nodes[0].node_id", "a text"),
        ([{"node_id": "a", "wait": {"kind": "webhook"}}], "flow.nodes[0].wait.kind", "timer or approval"),
        ([{"node_id": "a", "wait": 5}], "flow.nodes[0].wait.kind", "timer or approval"),
        ([{"node_id": "a", "wait": {"kind": "timer"}}], "flow.nodes[0].wait", "either delay_ms or wake_at"),
        ([{"node_id": "a", "wait": {"kind": "timer", "delay_ms": -1}}], "flow.nodes[0].wait.delay_ms", "an integer"),
        ([{"node_id": "a", "retry_policy": 5}], "flow.nodes[0].retry_policy", "an object"),
        (
            [{"node_id": "a", "gate": {"required": True}, "wait": {"kind": "timer", "delay_ms": 1}}],
            "flow.nodes[0].wait",
            "nothing beside the gate",
        ),
    ],
)
def test_a_refusal_names_the_place(nodes: list[dict[str, Any]], field: str, accepted: str) -> None:
    """The same manner as in the own format."""
    with pytest.raises(InvalidValue) as caught:
        parsed(*nodes)
    assert caught.value.field == field
    assert accepted in caught.value.accepted


@pytest.mark.parametrize("flow", [None, [], {}, {"nodes": None}, {"nodes": {}}, {"nodes": [7]}])
def test_a_document_of_another_shape_is_refused(flow: object) -> None:
    """Anything may be called a flow."""
    with pytest.raises((InvalidValue, InvalidFlow)):
        parse_flow(json.dumps({"flow": flow}), name="x.json")


@pytest.mark.parametrize(
    ("keys", "name"), [({"automation_id": None, "name": "n"}, "n"), ({"automation_id": None}, "x")]
)
def test_an_automation_without_an_id_has_a_name(keys: dict[str, Any], name: str) -> None:
    """Its own, or that of the file."""
    assert parsed({"node_id": "a"}, **keys).automation == name
