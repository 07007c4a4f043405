"""What-if policy files: what they may say, and how they are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from redrive import Backoff, InvalidValue, RedrivePolicy, RetryPolicy, WhatIfPolicy
from redrive.domain.retry_policy import Strategy
from redrive.forensics.what_if.policy_file import policy_given, read_policy_file, schema

OWN = RetryPolicy(max_attempts=4, backoff=Backoff(strategy=Strategy.FIXED, initial_delay_ms=700), max_elapsed_ms=9)


def policy(**more: Any) -> WhatIfPolicy:
    """A policy document."""
    return policy_given({"version": 1, **more})


def test_what_is_left_out_stays() -> None:
    """An empty document is the recorded policy, and the very same id."""
    assert policy().retry("any", "any", OWN).id == OWN.id
    assert policy().redrive("any", RedrivePolicy()).id == RedrivePolicy().id


def test_fields_replace_those_of_the_node() -> None:
    """Field by field; a backoff as a whole; null takes the limit on the time away."""
    changed = policy(default={"retry": {"max_elapsed_ms": None, "backoff": {"strategy": "none"}}}).retry("", "", OWN)
    assert (changed.max_attempts, changed.max_elapsed_ms, changed.backoff) == (4, None, Backoff())


def test_the_more_specific_part_has_the_last_word() -> None:
    """From all to one automation, from all failures to one class."""
    both = policy(
        default={"retry": {"max_attempts": 1}, "failure_classes": {"tool-resolution": {"max_attempts": 2}}},
        automations={"nightly": {"failure_classes": {"tool_resolution": {"max_attempts": 3}}}},
    )
    found = [both.retry(*asked, OWN).max_attempts for asked in (("a", "x"), ("a", "tool_resolution"))]
    assert found == [1, 2]
    assert both.retry("nightly", "tool_resolution", OWN).max_attempts == 3
    assert both.most_attempts("nightly", OWN) == 3


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "document"),
        ({"version": 2}, "version"),
        ({"version": 1, "defaults": {}}, "defaults"),
        ({"version": 1, "default": {"retry": {"max_attempts": 0}}}, "default.retry.max_attempts"),
        ({"version": 1, "default": {"retry": {"max_attempts": True}}}, "default.retry.max_attempts"),
        ({"version": 1, "default": {"redrive": {"max_dispatches": 0}}}, "default.redrive.max_dispatches"),
        ({"version": 1, "automations": {"a": {"retries": {}}}}, "automations.a.retries"),
        ([], "document"),
    ],
)
def test_a_bad_document_is_refused(document: Any, field: str, tmp_path: Path) -> None:
    """Naming the file, the field and what is accepted."""
    file = tmp_path / "other.yaml"
    file.write_text(json.dumps(document))
    with pytest.raises(InvalidValue) as refused:
        read_policy_file(file)
    assert refused.value.field == f"other.yaml: {field}"
    assert refused.value.accepted


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Missing, a folder, no YAML, too large, or no path at all."""
    (tmp_path / "torn.yaml").write_text("version: [")
    (tmp_path / "large.yaml").write_bytes(b"#" * 2_000_000)
    given: list[object] = [tmp_path / "none.yaml", tmp_path, tmp_path / "torn.yaml", tmp_path / "large.yaml", 7]
    for one in given:
        with pytest.raises(InvalidValue):
            policy_given(one)


def test_the_schema_knows_the_keys() -> None:
    """For editors."""
    assert {"version", "default", "automations"} == set(schema()["properties"])
