"""Notes about what has no word for them in its own stream: effects, compensations, single events of the log."""

from collections.abc import Callable

from redrive.domain.identity import CompensationId, EffectId, Tenant, note_stream_of
from redrive.domain.ports import Transaction
from redrive.domain.records import NoteWritten

NoteCommand = Callable[[Transaction], None]


def noting_effect(id_: EffectId, text: str) -> NoteCommand:
    """Write something down about an effect. Raises NotFound."""

    def command(tx: Transaction) -> None:
        effect = tx.effect(id_)
        note = NoteWritten(subject="effect", id=id_, position=None, text=text)
        _write(tx, effect.tenant, effect.correlation, note)

    return command


def noting_compensation(id_: CompensationId, text: str) -> NoteCommand:
    """Write something down about a compensation. Raises NotFound."""

    def command(tx: Transaction) -> None:
        compensation = tx.compensation(id_)
        note = NoteWritten(subject="compensation", id=id_, position=None, text=text)
        _write(tx, compensation.tenant, compensation.correlation, note)

    return command


def noting_event(tenant: Tenant, correlation: str, event_id: str, position: int, text: str) -> NoteCommand:
    """Write something down about an event that is in the log, and so will stay as it is."""
    note = NoteWritten(subject="event", id=event_id, position=position, text=text)
    return lambda tx: _write(tx, tenant, correlation, note)


def _write(tx: Transaction, tenant: Tenant, correlation: str, note: NoteWritten) -> None:
    """Notes lie in a stream beside the correlation that they belong to."""
    tx.append_record(tenant, note_stream_of(tenant, correlation), note, correlation)
