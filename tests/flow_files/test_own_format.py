"""redrive's own workflow files."""

from typing import Any

import pytest

from redrive.domain.errors import InvalidFlow, InvalidValue
from redrive.domain.flow import DEFAULT_RETRY, Node
from redrive.domain.identity import NodeId
from redrive.domain.retry_policy import Mode, RetryPolicy
from redrive.flow_files import parse_flow
from redrive.flow_files.own_document import BackoffDocument, OverrideDocument, RetryDocument, TerminalDocument
from tests.flow_files.documents import chain, one, own


def only(text: str) -> Node:
    """The one node of the workflow in *text*."""
    return parse_flow(text, name="demo.json").flow.nodes[NodeId("only")]


def test_a_command_becomes_parameters_of_the_command_handler() -> None:
    """Nothing is executed while reading; the argv waits in the node."""
    node = only(one(run=["printf", "x"], env={"A": "1"}, cwd="work", input={"n": [1]}, resource="db", timeout_ms=5))
    assert node.handler == "redrive.command"
    assert node.params == {"run": ["printf", "x"], "env": {"A": "1"}, "cwd": "work"}
    assert (node.input, node.resource, node.timeout_ms) == ({"n": [1]}, "db", 5)


def test_a_handler_is_named_and_not_imported() -> None:
    """The caller decides which modules may be imported."""
    file = parse_flow(own({"id": "b", "handler": "no.such:b"}, {"id": "a", "handler": "no.such:a"}), name="x")
    assert [node.handler for node in file.flow.nodes.values()] == ["python:no.such:b", "python:no.such:a"]
    assert file.imports == ("no.such:a", "no.such:b")
    assert (file.kind, file.automation, file.ignored) == ("redrive", "demo", ())


def test_yaml_and_json_of_the_same_nodes_have_the_same_digest() -> None:
    """A run resumes whatever the layout of its file."""
    text = "automation: demo\nversion: 1\nnodes:\n- {id: a, run: [ls]}\n- id: b\n  after: [a]\n  run: [ls, '-l']\n"
    document = own({"id": "a", "run": ["ls"]}, {"id": "b", "after": ["a"], "run": ["ls", "-l"]})
    file = parse_flow(text, name="demo.yaml")
    assert file.digest == parse_flow(document, name="demo.json").digest == file.flow.digest


def test_defaults_hold_where_a_node_says_nothing() -> None:
    """A node's own policy replaces the default policy as a whole; nothing is merged."""
    defaults = {"retry": {"max_attempts": 7, "terminal_behavior": {"mode": "dead_letter"}}, "timeout_ms": 9}
    text = own({"id": "a"}, {"id": "b", "retry": {"max_attempts": 2}, "timeout_ms": 1}, defaults=defaults)
    a, b = parse_flow(text, name="x").flow.nodes.values()
    assert (a.retry.max_attempts, a.retry.mode, a.timeout_ms) == (7, Mode.DEAD_LETTER, 9)
    assert (b.retry.max_attempts, b.retry.mode, b.timeout_ms) == (2, Mode.FAIL_RUN, 1)


def test_null_means_absent() -> None:
    """``after:`` with nothing behind it is common in YAML."""
    node = only(one(run=["ls"], after=None, env=None, retry=None, handler=None, timeout_ms=None))
    assert (node.after, node.retry, node.timeout_ms) == ((), DEFAULT_RETRY, None)


def test_a_whole_policy_arrives() -> None:
    """What a policy writes as its document is what a file may say."""
    policy = RetryPolicy(max_attempts=4, retryable_failure_classes=("provider_auth",), max_elapsed_ms=10)
    assert only(one(retry=policy.document())).retry == policy


@pytest.mark.parametrize(
    ("model", "field"), [(RetryDocument, ""), (BackoffDocument, "backoff"), (TerminalDocument, "terminal_behavior")]
)
def test_the_document_of_a_policy_and_the_policy_have_the_same_fields(model: Any, field: str) -> None:
    """A field added to the policy must be readable from files."""
    policy = RetryPolicy()
    assert set(model.model_fields) == set(type(getattr(policy, field) if field else policy).model_fields)
    assert set(OverrideDocument.model_fields) == set(type(policy.manual_override).model_fields)


REFUSED = [
    (one(retry={"max_attempts": 11}), "nodes[0].retry.max_attempts", "an integer from 1 to 10"),
    (one(retry={"max_attempts": True}), "nodes[0].retry.max_attempts", "an integer from 1 to 10"),
    (one(retry={"maxAttempts": 2}), "nodes[0].retry.maxAttempts", "did you mean 'max_attempts'?"),
    (one(retry={"backoff": {"multiplier": True}}), "nodes[0].retry.backoff.multiplier", "a number from 1 to 1000"),
    (one(retry={"backoff": {"strategy": "fix"}}), "nodes[0].retry.backoff.strategy", "did you mean 'fixed'?"),
    (one(retry={"manual_override": {"enabled": 1}}), "nodes[0].retry.manual_override.enabled", "true or false"),
    (one(retry={"retryable_failure_classes": [" "]}), "nodes[0].retry.retryable_failure_classes[0]", "not blank"),
    (one(retry=[1]), "nodes[0].retry", "an object"),
    (one(timeout=3), "nodes[0].timeout", "did you mean 'timeout_ms'?"),
    (one(timeout_ms=1.5), "nodes[0].timeout_ms", "an integer from 1 to"),
    (one(after="a"), "nodes[0].after", "a list of texts"),
    (one(run="ls -l"), "nodes[0].run", "a list of texts, the program first"),
    (one(run=[]), "nodes[0].run", "1 to 1000 texts"),
    (one(run=["sleep", 1]), "nodes[0].run[1]", "put it in quotes"),
    (one(run=["a\0b"]), "nodes[0].run[0]", "without NUL"),
    (one(run=[" "]), "nodes[0].run[0]", "not blank"),
    (one(env={"A": 1}), "nodes[0].env.A", "put it in quotes"),
    (one(env={"A=B": "1"}), "nodes[0].env", "names of variables"),
    (one(cwd=""), "nodes[0].cwd", "not blank"),
    (one(handler="os.system"), "nodes[0].handler", "module:function"),
    (one(handler="a:b:c"), "nodes[0].handler", "module:function"),
    (one(handler="a:b", run=["ls"]), "nodes[0]", "not several"),
    (one(handler="a:b", env={}), "nodes[0].env", "goes with run only"),
    (one(run=None), "nodes[0]", "run (an argv), handler (module:function), effect"),
    (own({"run": ["ls"]}), "nodes[0]", "the key 'id'"),
    (own({"id": "a"}, version=2), "version", "the only version"),
    (own({"id": "a"}, version=True), "version", "the only version"),
    (own({"id": "a"}, automation=" "), "automation", "not blank"),
    (own({"id": "a"}, nodes=None), "nodes", "a list"),
    (own({"id": "a"}, nodes=[1]), "nodes[0]", "an object"),
    ('{"automation": "a", "version": 1}', "document", "the key 'nodes'"),
    ('{"nodes": [{"id": "a", "run": ["ls"]}], "version": 1}', "document", "the key 'automation'"),
]


@pytest.mark.parametrize(("text", "field", "accepted"), REFUSED)
def test_a_refusal_names_path_value_and_what_is_accepted(text: str, field: str, accepted: str) -> None:
    """A person must find the place and know what to write there."""
    with pytest.raises(InvalidValue) as caught:
        parse_flow(text, name="x.json")
    assert caught.value.field == field
    assert accepted in caught.value.accepted


GRAPHS = [
    (own(), "nodes", "at least one node"),
    (own({"id": "a"}, {"id": "a"}), "nodes[1].id", "nodes[0] has it already"),
    (own({"id": "fetch"}, {"id": "b", "after": ["fetsh"]}), "nodes[1].after[0]", "did you mean 'fetch'?"),
    (own({"id": "a", "after": ["b"]}, {"id": "b", "after": ["a"]}), "after", "without cycles"),
    (own({"id": "a", "after": ["a"]}), "after", "without cycles"),
    (own({"id": "\ud800"}, {"id": "\ud801"}), "nodes[1].id", "nodes[0] has it already"),
]


@pytest.mark.parametrize(("text", "field", "accepted"), GRAPHS)
def test_nodes_that_form_no_graph_are_refused(text: str, field: str, accepted: str) -> None:
    """Found before anything runs."""
    with pytest.raises(InvalidFlow) as caught:
        parse_flow(text, name="x.json")
    assert caught.value.field == field
    assert accepted in caught.value.accepted


def test_a_chain_of_ten_thousand_nodes_is_read() -> None:
    """Depth of the graph is no depth of a call stack."""
    file = parse_flow(own(*chain(10_000)), name="chain.json")
    assert len(file.flow) == 10_000
    assert file.flow.nodes[NodeId("n9999")].after == ("n9998",)
