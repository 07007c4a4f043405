"""Approvals and waits in redrive's own format."""

from typing import Any

import pytest

from redrive.domain.errors import InvalidValue
from redrive.domain.stateful_wait import Approval, Wait
from redrive.flow_files import parse_flow
from tests.flow_files.documents import one, own


def test_approvals_and_waits_are_read() -> None:
    """With their retry policy, and without the defaults that attempts have."""
    text = own(
        {"id": "a"},
        {"id": "ask", "after": ["a"], "run": None, "approval": {"prompt": "go?", "timeout_ms": 5}},
        {"id": "rest", "after": ["ask"], "run": None, "wait": {"delay_ms": 0}},
        {"id": "until", "run": None, "wait": {"until_ms": 7}},
        defaults={"timeout_ms": 1_000, "retry": {"max_attempts": 1}},
    )
    a, ask, rest, until = parse_flow(text, name="x.json").flow.nodes.values()
    assert (ask.approval, rest.wait, until.wait) == (Approval("go?", 5), Wait(delay_ms=0), Wait(until_ms=7))
    assert (a.timeout_ms, ask.timeout_ms, ask.retry.max_attempts) == (1_000, None, 1)


@pytest.mark.parametrize(
    ("keys", "field", "accepted"),
    [
        ({"approval": {"prompt": "x"}}, "nodes[0]", "one of run, approval"),
        ({"run": None, "approval": {"prompt": " "}}, "nodes[0].approval.prompt", "not blank"),
        ({"run": None, "approval": {}}, "nodes[0].approval", "the key 'prompt'"),
        ({"run": None, "approval": {"prompt": "x", "timeout": 5}}, "nodes[0].approval.timeout", "timeout_ms"),
        ({"run": None, "approval": {"prompt": "x"}, "provider": "p"}, "nodes[0].provider", "none, because"),
        ({"run": None, "approval": {"prompt": "x", "timeout_ms": 0}}, "nodes[0].approval.timeout_ms", "an integer"),
        ({"run": None, "wait": {}}, "nodes[0].wait", "either delay_ms or until_ms"),
        ({"run": None, "wait": {"delay_ms": 1, "until_ms": 2}}, "nodes[0].wait", "either delay_ms or until_ms"),
        ({"run": None, "wait": {"delay_ms": 1}, "timeout_ms": 5}, "nodes[0].timeout_ms", "redrive itself"),
        ({"run": None, "wait": {"delay_ms": 1}, "cwd": "x"}, "nodes[0].cwd", "run only"),
    ],
)
def test_what_makes_no_sense_is_refused(keys: dict[str, Any], field: str, accepted: str) -> None:
    """With the place, and what would be accepted."""
    with pytest.raises(InvalidValue) as caught:
        parse_flow(one(**keys), name="x.json")
    assert caught.value.field == field
    assert accepted in caught.value.accepted
