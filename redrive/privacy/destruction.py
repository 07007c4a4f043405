"""Destroying a key: the intent is durable first, then the key is gone, then the log says so, then every copy goes.

Each step may be done again: whoever opens the log after a crash finishes what was begun. The key goes under the log's
write lock, so that nothing is encrypted with it afterwards, by any process; the event follows in the same lock.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from redrive.domain.errors import NotFound, Refused
from redrive.domain.identity import SYSTEM, DeadLetterId, Principal, RunId, Tenant
from redrive.domain.ports import Caller, Transaction
from redrive.domain.records import KeyDestroyed
from redrive.ledger.recorder import COLUMNS
from redrive.ledger.storage_errors import storage_errors
from redrive.ledger.transaction import LedgerTransaction
from redrive.privacy.encryption import Encryption, key_of_state, key_stream_of
from redrive.privacy.key_store import Intent
from redrive.privacy.models import KeyDestruction
from redrive.privacy.places import note_erasures, remove_copies
from redrive.processes.operations import abandoning, cancelling

if TYPE_CHECKING:
    from redrive.engine import Engine

WHY_CLOSED = "the key of its payload was destroyed"
WHY_FOLLOWED = "the key store says that the key was destroyed"
_TOGETHER = 250
_FIRST = (
    "originator_version = 1 AND originator_id = correlation AND (topic LIKE 'run.submitted/%' OR topic LIKE 'effect.%')"
)
_ENCRYPTED_WITH = f"SELECT originator_id, tenant FROM events WHERE {_FIRST} AND instr(state, ?) > 0"
_ARCHIVED = f"SELECT {COLUMNS} FROM events WHERE position > ? AND {_FIRST} AND state = ? ORDER BY position LIMIT ?"


def destroy_key(
    engine: "Engine", encryption: Encryption, tenant: Tenant, subject: str, actor: Principal, reason: str
) -> KeyDestruction:
    """Destroy the key of a subject. Raises NotFound when it has none (any more)."""
    keys = encryption.keys
    key = keys.in_use(keys.subject_of(tenant, subject))
    if key is None:
        raise NotFound("key of subject", subject)
    by = json.dumps([actor.kind, actor.id, actor.on_behalf_of])
    intent = Intent(key, str(tenant), by, reason, engine.now_ms(), engine.ledger.id)
    keys.intend(intent)
    return _carry_out(engine, encryption, intent)


def finish_destructions(engine: "Engine", encryption: Encryption) -> list[KeyDestruction]:
    """Carry out what a process that died, or a full disk, left unfinished: in the log where it was begun."""
    begun = [intent for intent in encryption.keys.intents() if intent.log in ("", engine.ledger.id)]
    return [_carry_out(engine, encryption, intent) for intent in begun]


def follow_destructions(engine: "Engine", encryption: Encryption) -> None:
    """Carry out what this log does not know of yet: that a key of its payloads was destroyed through another log with
    the same store, or after the backup from which it was restored."""
    known = encryption.keys.keys()
    news = [key for key in known if key.destroyed_ms is not None and not engine.ledger.stream(key_stream_of(key.id))]
    archived = _tenants_in_archives(engine) if news else {}
    for key in news:
        tenant = next((owner for _, owner in _encrypted_with(engine, key.id)), archived.get(key.id))
        if tenant is not None:
            assert key.destroyed_ms is not None
            by = json.dumps([SYSTEM.kind, SYSTEM.id, SYSTEM.on_behalf_of])
            intent = Intent(key.id, str(tenant), by, WHY_FOLLOWED, key.destroyed_ms, engine.ledger.id)
            encryption.keys.intend(intent)
            _carry_out(engine, encryption, intent)


def _carry_out(engine: "Engine", encryption: Encryption, intent: Intent) -> KeyDestruction:
    tenant, ledger, keys = Tenant.parse(intent.tenant), engine.ledger, encryption.keys

    def destroy(tx: LedgerTransaction) -> None:
        tx.alone()
        keys.destroy(intent.key, tx.now_ms)
        encryption.forget_keys()
        key = keys.key(intent.key)
        assert key is not None
        assert key.destroyed_ms is not None
        event = KeyDestroyed(
            key=key.id, subject=key.subject, created_at_ms=key.created_ms, destroyed_at_ms=key.destroyed_ms
        )
        tx.append_once(tenant, key_stream_of(key.id), event)

    ledger.transact(Caller(None, Principal(*json.loads(intent.actor)), intent.reason), destroy)
    with ledger.committer.under_lock():
        ledger.committer.states.forget_all()
    engine.views.catch_up()
    removed = remove_copies(engine.views.path)
    encrypted = _encrypted_with(engine, intent.key)
    cancelled = _close(engine, [(run, cancelling(RunId(run), engine.services.policy_of)) for run, _ in encrypted])
    abandoned = _close(engine, [(id_, abandoning(id_, None)) for id_ in _unsettled(engine, encrypted)])
    keys.finish(intent.key)
    note_erasures(engine.views.path, encryption.erasures)
    said = ledger.stream(key_stream_of(intent.key))[0]
    assert isinstance(said.event, KeyDestroyed)
    return KeyDestruction(
        key=intent.key,
        subject=said.event.subject,
        destroyed_at_ms=said.event.destroyed_at_ms,
        position=said.position,
        cancelled=cancelled,
        abandoned=abandoned,
        removed=removed,
    )


def _encrypted_with(engine: "Engine", key: str) -> list[tuple[str, Tenant]]:
    """The runs, and the effects outside runs, whose payloads a key encrypted."""
    ledger = engine.ledger
    with storage_errors(ledger.path):
        rows = ledger.recorder.reader().execute(_ENCRYPTED_WITH, (key.encode(),)).fetchall()
    return [(str(id_), Tenant.parse(tenant)) for id_, tenant in rows]


def _tenants_in_archives(engine: "Engine") -> dict[str, Tenant]:
    """The keys that encrypted what was archived of this log, and whose they were. Raises ArchiveUnreadable."""
    recorder, found, after = engine.ledger.recorder, dict[str, Tenant](), 0
    with storage_errors(engine.ledger.path):
        while rows := recorder.reader().execute(_ARCHIVED, (after, b"", _TOGETHER)).fetchall():
            for row in recorder.as_stored(rows):
                if (key := key_of_state(row[4])) is not None:
                    found[key] = Tenant.parse(row[5])
            after = rows[-1][0]
    return found


def _unsettled(engine: "Engine", encrypted: Sequence[tuple[str, Tenant]]) -> Iterator[DeadLetterId]:
    query = "SELECT id FROM dead_letters WHERE settled = 0 AND (run_id = ? OR effect_id = ?)"
    for id_, _ in encrypted:
        for (letter,) in engine.views.rows(query, (id_, id_)):
            yield DeadLetterId(letter)


def _close(engine: "Engine", commands: Sequence[tuple[str, Callable[[Transaction], object]]]) -> int:
    """Carry out what is still possible of *commands*; how many were."""
    caller, done = Caller(None, reason=WHY_CLOSED), 0
    for start in range(0, len(commands), _TOGETHER):
        jobs = [(caller, command) for _, command in commands[start : start + _TOGETHER]]
        for pending in engine.ledger.transact_together(jobs):
            try:
                pending.result()
                done += 1
            except (Refused, NotFound):  # finished, or settled: nothing is to be closed
                continue
    return done
