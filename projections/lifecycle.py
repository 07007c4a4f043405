"""The texts of the log that are worth searching: keys, failures, notes, what operators gave as reasons.

Each text is kept and indexed once, under the position where it came first; *mentions* say at which positions, in
which run and about what it was said. The history itself is read from the log.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from sqlite_utils import Database

from redrive.domain.compensation import events as compensations
from redrive.domain.dead_letter import events as letters
from redrive.domain.effect import events as effects
from redrive.domain.effect.request import EffectRequest
from redrive.domain.errors import InvalidValue
from redrive.domain.event import Event
from redrive.domain.failure import Failure
from redrive.domain.records import NoteWritten
from redrive.domain.run import events as runs
from redrive.domain.run import wait_events as stateful
from redrive.domain.values import clean_text
from redrive.projections.batch import Batch
from redrive.projections.tables import Table

MAX_WORDS = 32

TEXTS = Table("texts", ("id",), {"id": 0, "digest": 0, "body": ""}, indexes=("digest",))
MENTIONS = Table(
    "mentions",
    ("position",),
    {"position": 0, "text_id": 0, "subject": "", "run_id": "", "tenant": ""},
    indexes=("text_id, position",),
)


def create(db: Database) -> None:
    """Create the tables and the full-text index over the distinct texts."""
    TEXTS.create(db)
    MENTIONS.create(db)
    TEXTS.index(db)  # the fold itself looks texts up by digest
    db.table("texts").enable_fts(["body"], fts_version="FTS5", tokenize="unicode61 remove_diacritics 2")


def _failure(node: str, failure: Failure) -> str:
    return f"{node}\n{failure.failure_class} {failure.kind or ''}\n{failure.reason}"


def _named(node: str, key: str) -> str:
    return f"{node}\n{key}" if key else node


def _request(node: str | None, request: EffectRequest) -> str:
    return f"{_named(node or '', request.key)}\n{request.operation} {request.target}"


SAYS: dict[type[Event], Callable[[Any], str]] = {
    runs.RunSubmitted: lambda event: f"{event.automation}\n{event.key}" if event.key else event.automation,
    runs.AttemptFailed: lambda event: _failure(event.node, event.failure),
    runs.AttemptInterrupted: lambda event: _failure(event.node, event.decision.failure),
    runs.NoteAdded: lambda event: event.text,
    stateful.ApprovalRequested: lambda event: f"{event.node}\n{event.prompt}",
    stateful.ApprovalDenied: lambda event: _failure(event.node, event.failure),
    stateful.ApprovalExpired: lambda event: _failure(event.node, event.failure),
    letters.DeadLetterOpened: lambda event: _failure(_named(event.node, event.effect_key), event.failure),
    letters.DeadLetterRecurred: lambda event: _failure("", event.failure),
    letters.DeadLetterHeld: lambda event: event.why,
    letters.DeadLetterNoted: lambda event: event.text,
    NoteWritten: lambda event: event.text,
    effects.EffectIntended: lambda event: _request(event.node, event.request),
    effects.EffectWithheld: lambda event: f"{_request(event.node, event.request)}\n{event.why}",
    effects.EffectFailed: lambda event: _failure("", event.failure),
    effects.EffectOutcomeUnknown: lambda event: _failure("", event.failure),
    effects.EffectReconciled: lambda event: event.why,
    compensations.CompensationProposed: lambda event: f"{event.effect_key}\n{event.plan.operation} {event.plan.target}",
    compensations.CompensationFailed: lambda event: _failure("", event.failure),
    compensations.CompensationCancelled: lambda event: event.why,
}
"""What an event says, beside the reason in its envelope."""


def write(batch: Batch) -> None:
    """Index the texts that are new, and note who said what where."""
    if not batch.texts:
        return
    connection = batch.connection
    first: dict[str, int] = {}
    for position, body, *_ in batch.texts:
        first.setdefault(body, position)
    digests = {_digest(body): body for body in first}
    query = "SELECT digest, id FROM texts WHERE digest IN (SELECT value FROM json_each(?))"
    known = dict(connection.execute(query, (json.dumps(list(digests)),)).fetchall())
    ids = {body: known.get(digest, first[body]) for digest, body in digests.items()}
    fresh = sorted((first[body], digest, body) for digest, body in digests.items() if digest not in known)
    connection.executemany("INSERT INTO texts VALUES (?, ?, ?)", fresh)
    connection.executemany(
        "INSERT INTO texts_fts (rowid, body) VALUES (?, ?)", [(position, body) for position, _, body in fresh]
    )
    connection.executemany(
        "INSERT INTO mentions VALUES (?, ?, ?, ?, ?)",
        [(position, ids[body], *rest) for position, body, *rest in batch.texts],
    )


def _digest(body: str) -> int:
    """A signed integer of 64 bits."""
    return int.from_bytes(hashlib.blake2b(body.encode(), digest_size=8).digest(), "big", signed=True)


def match(text: str) -> str:
    """The full-text query for *text*: every word of it, each also as the beginning of a longer one.

    Nothing in *text* is syntax. Raises InvalidValue when it is blank, or longer than a search can be.
    """
    words = clean_text(text, "text", most=4_096, blank=False).replace("\x00", " ").replace('"', " ").split()
    searchable = [word for word in words if any(char.isalnum() for char in word)]
    if not searchable or len(searchable) > MAX_WORDS:
        raise InvalidValue("text", text, f"1 to {MAX_WORDS} words with a letter or a digit")
    return " AND ".join(f'"{word}"*' for word in searchable)
