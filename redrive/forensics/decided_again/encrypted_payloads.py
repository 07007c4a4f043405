"""What a decision made again says where the recorded payload cannot be read: what is recorded, as far as it is payload.

Without its key, nobody can tell whether the digest of a payload, or a reason, would be the same; everything else of the
event (verdicts, numbers, times) can.
"""

from typing import TYPE_CHECKING

import pydantic_core

from redrive.domain.event import Event, Recorded
from redrive.domain.payloads import PAYLOADS, put_at, value_at

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger

MOST_KNOWN = 65_536
_FIRST = "SELECT state FROM events WHERE originator_id = ? AND originator_version = 1"
_SAID = "SELECT min(position) FROM events WHERE originator_id = ?"


class Erasures:
    """When the payloads of a run were destroyed: what was decided about it later went by what a process still had."""

    def __init__(self, ledger: "LogLedger") -> None:
        self._ledger = ledger
        self._known: dict[str, int | None] = {}

    def came_before(self, correlation: str, position: int) -> bool:
        """Whether the key was destroyed before the event at *position* was written."""
        if self._ledger.recorder.encryption is None and not self._ledger.locked:
            return False
        if correlation not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[correlation] = self._read(correlation)
        at = self._known[correlation]
        return at is not None and at < position

    def _read(self, correlation: str) -> int | None:
        from redrive.privacy.encryption import key_of_state, key_stream_of

        reader = self._ledger.recorder.reader()
        row = reader.execute(_FIRST, (correlation,)).fetchone()
        key = key_of_state(row[0]) if row is not None and isinstance(row[0], bytes) else None
        if key is None:
            return None
        at: int | None = reader.execute(_SAID, (key_stream_of(key),)).fetchone()[0]
        return at


def with_recorded_payload(event: Event, recorded: Recorded) -> Event:
    """*event*, with the payload and the digests that *recorded* shows when those cannot be read."""
    if not recorded.payload:
        return event
    sealed = PAYLOADS.get(event.__class__)
    if sealed is None or event.__class__ is not recorded.event.__class__:
        return event
    assert isinstance(recorded.event, Event)
    body, told = event.model_dump(mode="json"), recorded.event.model_dump(mode="json")
    for path in (*sealed.payload, *sealed.digests):
        if (value := value_at(told, path)) is not None and value_at(body, path) is not None:
            put_at(body, path, value)
    return type(event).model_validate_json(pydantic_core.to_json(body))
