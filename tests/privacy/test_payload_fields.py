"""What is payload: every text and every document of every event is declared as payload, as a digest of it, or plain."""

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from redrive.domain.event import CATALOGUE, Event
from redrive.domain.payloads import PAYLOADS, Paths, paths_of, put_at, value_at
from redrive.domain.values import JsonValue
from redrive.ledger.mapper import row_of
from tests.ledger.samples import enveloped, samples_of

PLAIN = {
    *("automation", "key", "flow", "node", "run", "worker", "by", "status", "was", "policy", "engine", "document"),
    *("body", "dead_letter", "effect", "effect_key", "compensation", "operation", "target", "name", "limit", "holder"),
    *("failure_class", "kind", "classified_by", "classifier", "prompt", "resource_key", "reset_digest", "subject"),
    *("checkpoint", "evidence", "archive", "file", "log.records-archived/1.digest"),
    *("shard", "shards"),
    *("host", "boot", "namespace", "roots", "disposition", "mode", "verdict"),
    *("dead-letter.held/1.why", "note.written/1.id", "run.attempt-snoozed/1.report"),
}
"""Names of fields that hold no payload: names, ids, what flows and policies say, what the engine itself says."""


def leaves(kind: Any, path: str) -> Iterator[str]:
    """The paths of the texts and documents in a type."""
    if kind is JsonValue or getattr(kind, "__name__", "") == "JsonValue":
        yield path
    elif typing.get_origin(kind) is Literal:
        return
    elif args := typing.get_args(kind):
        for arg in args:
            yield from leaves(arg, path)
    elif getattr(kind, "__supertype__", kind) is str:
        yield path
    elif isinstance(kind, type) and (issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind)):
        for name, hint in typing.get_type_hints(kind).items():
            if typing.get_origin(hint) is not typing.ClassVar:
                yield from leaves(hint, f"{path}.{name}" if path else name)


PRODUCT = [cls for cls in CATALOGUE.values() if cls.__module__.startswith("redrive.")]


@pytest.mark.parametrize("cls", PRODUCT, ids=lambda cls: cls.STORED_AS)
def test_every_text_is_declared(cls: type[Event]) -> None:
    """Whoever adds a field to an event says here, or in domain/payloads.py, whether it may be about a person."""
    encrypted = PAYLOADS.get(cls, Paths())
    for path in set(leaves(cls, "")) - {*encrypted.payload, *encrypted.digests}:
        names = {path.rpartition(".")[2], f"{cls.STORED_AS}.{path}"}
        assert names & PLAIN, f"{cls.STORED_AS}: is {path} payload, a digest of it, or plain?"


@pytest.mark.parametrize("cls", PAYLOADS, ids=lambda cls: cls.STORED_AS)
def test_what_is_declared_is_there(cls: type[Event]) -> None:
    """A path with a slip in it would encrypt nothing; the request of a compensation may be of any type."""
    found = {*leaves(cls, ""), "request.compensation.request", "plan.request"}
    assert {*PAYLOADS[cls].payload, *PAYLOADS[cls].digests} <= found


def test_paths_begin_at_the_top_of_a_state() -> None:
    """The reason of the envelope is payload, whatever the event."""
    assert paths_of("run.note-added/1").payload == ("reason", "data.text")
    assert paths_of("no.such-thing/9") == Paths(("reason",))
    (sample,) = samples_of("run.note-added/1")
    assert b'"reason":' in row_of(enveloped(sample))[3]


def test_values_are_found_and_put_by_path() -> None:
    """Nothing is invented where there is no such place."""
    state: dict[str, Any] = {"data": {"a": {"b": 1}, "n": None}}
    assert [value_at(state, path) for path in ("data.a.b", "data.x.b", "data.n", "data.a.b.c")] == [1, None, None, None]
    put_at(state, "data.a.b", 2)
    assert state["data"]["a"]["b"] == 2
    for path in ("data.a.c", "data.x.y", "data.n.x"):
        with pytest.raises(ValueError, match="there is no"):
            put_at(state, path, 3)
