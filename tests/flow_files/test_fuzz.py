"""Arbitrary input: a workflow, or a RedriveError; nothing else ever."""

import json
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redrive.domain.errors import RedriveError
from redrive.flow_files import parse_flow
from redrive.flow_files.own_document import FlowDocument, NodeDocument, RetryDocument

NAMES = st.sampled_from(["x.yaml", "x.json", "x", ""])
OWN_KEYS = {*FlowDocument.model_fields, *NodeDocument.model_fields, *RetryDocument.model_fields}
TASK_KEYS = {"id", "parents", "children", "runtimeInSeconds", "command", "program"}
KEYS = st.sampled_from(sorted(OWN_KEYS | TASK_KEYS | {"workflow", "schemaVersion", "specification", "tasks"}))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | KEYS | st.just(1)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner, max_size=5)
)
NODES = st.lists(st.dictionaries(KEYS, VALUES, max_size=4).map(lambda node: {"id": "a", "run": ["ls"], **node}))
OWN = st.dictionaries(KEYS, VALUES, max_size=2).map(lambda more: {"automation": "a", "version": 1, **more})
TASKS = st.lists(st.dictionaries(KEYS, VALUES, max_size=4).map(lambda task: {"id": "a", **task}), max_size=3)

# How fast the machine is, is not the question.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def attempt(source: str | bytes, name: str) -> None:
    """Read *source*; a refusal is as good as a workflow, and its sentence can be shown."""
    try:
        assert len(parse_flow(source, name=name).flow) > 0
    except RedriveError as error:
        str(error).encode()


@unhurried
@given(st.text(), NAMES)
def test_any_text(text: str, name: str) -> None:
    """Also with control characters and lone surrogates."""
    attempt(text, name)


@unhurried
@given(st.binary(), NAMES)
def test_any_bytes(raw: bytes, name: str) -> None:
    """Hardly ever UTF-8."""
    attempt(raw, name)


@unhurried
@given(st.text(alphabet="{}[]:,-&*!|>#%@'\"? \n\tab01.", max_size=60), NAMES)
def test_any_punctuation(text: str, name: str) -> None:
    """What parsers stumble over."""
    attempt(text, name)


@unhurried
@given(VALUES, NAMES)
def test_any_document(document: Any, name: str) -> None:
    """JSON as Python writes it, with NaN and integers of any size."""
    attempt(json.dumps(document), name)


@unhurried
@given(OWN, NODES)
def test_almost_workflows(document: dict[str, Any], nodes: list[Any]) -> None:
    """Right in most places and wrong in some."""
    attempt(json.dumps({"nodes": nodes, **document}), "x.json")


@unhurried
@given(TASKS, TASKS)
def test_almost_wfformat(tasks: list[Any], records: list[Any]) -> None:
    """The same for the format of others."""
    workflow = {"specification": {"tasks": tasks}, "execution": {"tasks": records}}
    with suppress(RedriveError):
        parse_flow(json.dumps({"workflow": workflow}), name="x.json")
