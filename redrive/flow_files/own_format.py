"""redrive's own workflow files, turned into flows."""

from typing import Any

from redrive.domain.errors import InvalidFlow
from redrive.domain.flow import DEFAULT_RETRY, Flow, Node
from redrive.domain.retry_policy import RetryPolicy
from redrive.domain.stateful_wait import Approval, Wait
from redrive.domain.values import JsonValue
from redrive.flow_files.effect_document import origin_of
from redrive.flow_files.flow_file import COMMAND_HANDLER, EFFECT_PREFIX, PYTHON_PREFIX, FlowFile
from redrive.flow_files.graph import checked_ids, require_known, require_size
from redrive.flow_files.own_document import DefaultsDocument, FlowDocument, NodeDocument
from redrive.flow_files.strict import brief, validated


def own_flow(document: dict[str, Any]) -> FlowFile:
    """The flow of a *document* in redrive's own format. Raises InvalidValue, InvalidFlow."""
    if "nodes" not in document:
        raise InvalidFlow("document", brief(document), "the key 'nodes' (or 'workflow' in a WfFormat file)")
    require_size(document["nodes"], "nodes")
    described = validated(FlowDocument, document)
    places = checked_ids([node.id for node in described.nodes], "nodes")
    for place, node in enumerate(described.nodes):
        require_known(node.after or (), places, f"nodes[{place}].after")
        if node.effect is not None:
            node.effect.require_templates(f"nodes[{place}].effect", node.after or ())
    default = described.defaults.retry.policy() if described.defaults.retry else DEFAULT_RETRY
    policies: dict[str, RetryPolicy] = {}
    flow = Flow(_node(node, described.defaults, default, policies) for node in described.nodes)
    return FlowFile(
        automation=described.automation,
        flow=flow,
        kind="redrive",
        imports=tuple(sorted({node.handler for node in described.nodes if node.handler is not None})),
        effects=tuple(sorted({origin_of(node.effect.target) for node in described.nodes if node.effect is not None})),
    )


def _node(
    node: NodeDocument, defaults: DefaultsDocument, default: RetryPolicy, policies: dict[str, RetryPolicy]
) -> Node:
    retry = default
    if node.retry is not None:  # ten thousand nodes often share a few policies: each is made, and digested, once
        key = node.retry.model_dump_json()
        retry = policies[key] = policies.get(key) or node.retry.policy()
    if node.approval is not None or node.wait is not None:
        approval = None if node.approval is None else Approval(**node.approval.model_dump())
        wait = None if node.wait is None else Wait(**node.wait.model_dump())
        return Node(node.id, after=node.after or (), retry=retry, approval=approval, wait=wait)
    params: dict[str, JsonValue] | None = None
    if node.run is not None:
        params = {"run": list(node.run)}
        if node.env:
            params["env"] = dict(node.env)
        if node.cwd is not None:
            params["cwd"] = node.cwd
    if node.effect is not None:
        params = {"effect": node.effect.params()}
    return Node(
        node.id,
        after=node.after or (),
        retry=retry,
        handler=_handler(node),
        resource=node.resource,
        provider=node.provider,
        timeout_ms=node.timeout_ms if node.timeout_ms is not None else defaults.timeout_ms,
        input=node.input,
        params=params,
    )


def _handler(node: NodeDocument) -> str:
    if node.effect is not None:
        return f"{EFFECT_PREFIX}{origin_of(node.effect.target)}"
    return COMMAND_HANDLER if node.handler is None else f"{PYTHON_PREFIX}{node.handler}"
