"""Tandem automation documents (version 2): the graph of an automation, its approvals and its timers.

Nothing of it is ever executed: nodes are simulated; what their agents would do is not read.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Annotated, Any, Literal

from pydantic import FailFast, Field

from redrive.domain.errors import InvalidValue
from redrive.domain.flow import DEFAULT_RETRY, Flow, Node
from redrive.domain.retry_documents import meaningless
from redrive.domain.retry_policy import RetryPolicy
from redrive.domain.stateful_wait import MAX_PROMPT_BYTES, Approval, Wait
from redrive.domain.values import clean_name, cut_text
from redrive.flow_files.fields import Name, Names, TimeoutMs, UntilMs, WaitMs, WaitTimeoutMs
from redrive.flow_files.flow_file import SIMULATE_HANDLER, FlowFile
from redrive.flow_files.graph import checked_ids, require_known, require_size
from redrive.flow_files.ignored import at, listed, others
from redrive.flow_files.strict import Part, brief, validated

NODES = "flow.nodes"


class _Expiry(Part):
    expires_after_ms: WaitTimeoutMs | None = None


class _Gate(Part):
    required: bool = False
    instructions: str | None = None
    expiry_policy: _Expiry | None = None


class _Moment(Part):
    source: Literal["literal"]
    value: UntilMs


class _Timer(Part):
    kind: Literal["timer"]
    delay_ms: WaitMs | None = None
    wake_at: _Moment | None = None


class _Asked(Part):
    kind: Literal["approval"]
    expires_after_ms: WaitTimeoutMs | None = None
    timeout: _Expiry | None = None


class _Node(Part):
    node_id: Name
    depends_on: Names = Field(default_factory=list)
    objective: str | None = None
    retry_policy: Any = None
    timeout_ms: TimeoutMs | None = None
    stage_kind: str | None = None
    gate: _Gate | None = None
    wait: Any = None


class _Flow(Part):
    nodes: Annotated[list[_Node], FailFast()]


class _Document(Part):
    flow: _Flow
    automation_id: str | None = Field(default=None)
    name: str | None = Field(default=None)


def is_tandem(document: dict[str, Any]) -> bool:
    """Whether *document* has the shape of a Tandem automation."""
    flow = document.get("flow")
    return "nodes" not in document and isinstance(flow, dict) and "nodes" in flow


def tandem_flow(document: dict[str, Any], *, stem: str) -> FlowFile:
    """The flow of a Tandem *document*; *stem* names it when it has no name of its own.

    Raises InvalidValue, InvalidFlow.
    """
    require_size(at(document, "flow", "nodes"), NODES)
    described = validated(_Document, document)
    nodes = described.flow.nodes
    places = checked_ids([node.node_id for node in nodes], NODES)
    for place, node in enumerate(nodes):
        require_known(node.depends_on, places, f"{NODES}[{place}].depends_on")
    flow = Flow(_node(node, f"{NODES}[{place}]") for place, node in enumerate(nodes))
    unused = chain.from_iterable(map(_unused, nodes, flow.nodes.values()))
    return FlowFile(
        automation=clean_name(described.automation_id or described.name or stem, "automation_id"),
        flow=flow,
        kind="tandem",
        ignored=_ignored(document, unused),
    )


def _node(node: _Node, path: str) -> Node:
    retry = _retry(node.retry_policy, f"{path}.retry_policy")
    approval, wait = _approval(node), None
    if node.wait is not None:
        described = _wait(node.wait, f"{path}.wait")
        if isinstance(described, _Asked):
            approval = _asked(node, _timeout(described))
        elif approval is not None:
            raise InvalidValue(f"{path}.wait", "timer", "nothing beside the gate of this node")
        else:
            wait = _timed(described, f"{path}.wait")
    if approval is not None or wait is not None:
        return Node(node.node_id, after=node.depends_on, retry=retry, approval=approval, wait=wait)
    return Node(node.node_id, after=node.depends_on, retry=retry, handler=SIMULATE_HANDLER, timeout_ms=node.timeout_ms)


def _retry(document: Any, path: str) -> RetryPolicy:
    if document is None:
        return DEFAULT_RETRY
    if not isinstance(document, dict):
        raise InvalidValue(path, brief(document), "an object")
    return RetryPolicy.from_document(document)


def _approval(node: _Node) -> Approval | None:
    """The approval that a gate asks for, when it is required, or the stage is one."""
    if node.stage_kind != "approval" and not (node.gate and node.gate.required):
        return None
    expiry = node.gate.expiry_policy if node.gate else None
    return _asked(node, expiry.expires_after_ms if expiry else None)


def _asked(node: _Node, timeout_ms: int | None) -> Approval:
    instructions = node.gate.instructions if node.gate else None
    texts = (text for text in (instructions, node.objective, node.node_id) if text and text.strip())
    return Approval(cut_text(next(texts), MAX_PROMPT_BYTES - 3), timeout_ms)


def _wait(document: Any, path: str) -> _Timer | _Asked:
    kind = at(document, "kind")
    if kind not in ("timer", "approval"):
        raise InvalidValue(f"{path}.kind", brief(kind), "timer or approval; nothing else can be waited for")
    try:
        return validated(_Timer, document) if kind == "timer" else validated(_Asked, document)
    except InvalidValue as error:
        raise InvalidValue(f"{path}.{error.field}", error.value, error.accepted) from None


def _timeout(described: _Asked) -> int | None:
    if described.expires_after_ms is None and described.timeout is not None:
        return described.timeout.expires_after_ms
    return described.expires_after_ms


def _timed(described: _Timer, path: str) -> Wait:
    if (described.delay_ms is None) == (described.wake_at is None):
        raise InvalidValue(path, "timer", "either delay_ms or wake_at")
    return Wait(described.delay_ms, described.wake_at.value if described.wake_at else None)


def _unused(node: _Node, made: Node) -> Iterator[str]:
    """The paths of what has a meaning in other nodes, but said nothing about this one."""
    instructed = node.gate is not None and bool((node.gate.instructions or "").strip())
    if node.objective is not None and (made.approval is None or instructed):
        yield f"{NODES}[].objective"
    if node.timeout_ms is not None and made.is_stateful_wait:
        yield f"{NODES}[].timeout_ms"
    yield from (f"{NODES}[].retry_policy.{key}" for key in meaningless(node.retry_policy or {}))


def _ignored(document: dict[str, Any], unused: Iterable[str]) -> tuple[str, ...]:
    """The paths of all keys that mean nothing here, each once, sorted."""
    nodes = document["flow"]["nodes"]
    gates = [node["gate"] for node in nodes if isinstance(node.get("gate"), dict)]
    waits = [node["wait"] for node in nodes if isinstance(node.get("wait"), dict)]
    asked = [wait for wait in waits if wait["kind"] == "approval"]
    timers = [wait for wait in waits if wait["kind"] == "timer"]
    expiries = [gate["expiry_policy"] for gate in gates if isinstance(gate.get("expiry_policy"), dict)]
    timeouts = [wait["timeout"] for wait in asked if isinstance(wait.get("timeout"), dict)]
    found = {
        *unused,
        *others([document], "", {"automation_id", "name", "flow"}),
        *others([document["flow"]], "flow.", {"nodes"}),
        *others(nodes, f"{NODES}[].", set(_Node.model_fields)),
        *others(gates, f"{NODES}[].gate.", set(_Gate.model_fields)),
        *others(expiries, f"{NODES}[].gate.expiry_policy.", set(_Expiry.model_fields)),
        *others(asked, f"{NODES}[].wait.", set(_Asked.model_fields)),
        *others(timers, f"{NODES}[].wait.", set(_Timer.model_fields)),
        *others(timeouts, f"{NODES}[].wait.timeout.", set(_Expiry.model_fields)),
    }
    return listed(found)
