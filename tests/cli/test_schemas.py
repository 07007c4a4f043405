"""JSON for programs: names that were published stay."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.logs import World

FROZEN: dict[str, list[str]] = json.loads(Path(__file__).with_name("frozen_schemas.json").read_text())

EFFECT_SCHEMAS = {
    *("redrive.effects/1", "redrive.effect/1", "redrive.effect-reconciled/1", "redrive.resume-plan/1"),
    *("redrive.compensations/1", "redrive.compensation/1", "redrive.compensation-operation/1"),
}
"""Those that a log with effects prints; see test_effect_schemas."""

PRIVACY_SCHEMAS = {"redrive.privacy/1", "redrive.key-destroyed/1", "redrive.archive/1"}
"""Those that a log with a key store, or an archive, prints; see test_privacy and test_archive."""

EVIDENCE_SCHEMAS = {"redrive.verification/1", "redrive.keys/1", "redrive.bundle/1"}
"""Those whose commands end with an exit code of their own, or need a key; see test_evidence."""

COMMANDS = [
    ["runs"],
    ["show", "{blocked}"],
    ["show", "{letter}"],
    ["dead-letters", "show", "{letter}"],
    ["queues"],
    ["queues", "blocked"],
    ["history", "{blocked}"],
    ["dead-letters", "list"],
    ["dead-letters", "groups"],
    ["dead-letters", "retry", "{letter}", "--reason", "x"],
    ["dead-letters", "note", "{letter}", "text"],
    ["pause", "{queued}", "--reason", "x"],
    ["timeline", "{blocked}"],
    ["why", "{blocked}.status"],
    ["blast", "1"],
    ["note", "{blocked}", "text", "--reason", "x"],
    ["tick"],
    ["limits", "set", "total", "--concurrency", "9", "--reason", "x"],
    ["views", "status"],
    ["views", "rebuild"],
    ["log", "tail", "-n", "2"],
    ["log", "show", "1"],
    ["export", "--run", "{blocked}", "-o", "case.tar", "--force"],
    ["seal"],
    ["anchor", "--anchor-cmd", "cat", "--reason", "x"],
    ["runs", "--at", "now"],
    ["history", "{blocked}", "--at", "now"],
    ["diff", "pos:3"],
    ["first", "1"],
    ["first", "--list"],
    ["views", "checkpoint"],
    ["db", "init"],
    ["db", "upgrade"],
    ["db", "copy", "sqlite:///copied.db"],
    ["db", "status"],
    ["simulate", "--steps", "5"],
]


def documents(world: World, command: list[str]) -> list[dict[str, Any]]:
    """The JSON documents that a command prints, one to a line."""
    result = world.run("--json", *(word.format_map(vars(world.ids)) for word in command))
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def fields_of(document: dict[str, Any]) -> set[str]:
    """The field names of what a document holds."""
    if "items" in document:
        assert set(document) - {"footing"} == {"schema", "items", "cursor"}
        assert document["items"], "an empty list proves nothing"
        return set(document["items"][0])
    if "item" in document:
        assert set(document) - {"footing"} == {"schema", "item"}
        return set(document["item"])
    return set(document) - {"schema"}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_published_names_stay(world: World, command: list[str]) -> None:
    """A field may be added; one that was published is neither renamed nor dropped without a new version."""
    for document in documents(world, command):
        assert set(FROZEN[document["schema"]]) <= fields_of(document)


def test_every_published_schema_is_still_printed(world: World) -> None:
    """By one of the commands above."""
    printed = {document["schema"] for command in COMMANDS for document in documents(world, command)}
    others = {
        "redrive.error/1",
        "redrive.submitted/1",
        "redrive.limits/1",
        "redrive.database-sql/1",
        *EFFECT_SCHEMAS,
        *PRIVACY_SCHEMAS,
        *EVIDENCE_SCHEMAS,
    }
    assert printed == set(FROZEN) - others


def test_the_nodes_of_a_run_are_documents_too(world: World) -> None:
    """With the dead letter of each."""
    nodes = world.json("show", world.ids.blocked)["item"]["nodes"]
    assert [(node["node"], node["status"], node["dead_letter"]) for node in nodes] == [
        ("fetch", "failed", world.ids.letter),
        ("publish", "blocked", None),
    ]
