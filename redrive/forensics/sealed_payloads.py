"""What a decision made again says where the recorded payload cannot be read: what is recorded, as far as it is payload.

Without its key, nobody can tell whether the digest of a payload, or a reason, would be the same; everything else of the
event (verdicts, numbers, times) can.
"""

import pydantic_core

from redrive.domain.event import Event, Recorded
from redrive.domain.payloads import PAYLOADS, put_at, value_at


def with_recorded_payload(event: Event, recorded: Recorded) -> Event:
    """*event*, with the payload and the digests that *recorded* shows when those cannot be read."""
    sealed = PAYLOADS.get(event.__class__)
    if not recorded.payload or sealed is None or event.__class__ is not recorded.event.__class__:
        return event
    assert isinstance(recorded.event, Event)
    body, told = event.model_dump(mode="json"), recorded.event.model_dump(mode="json")
    for path in (*sealed.payload, *sealed.digests):
        if (value := value_at(told, path)) is not None and value_at(body, path) is not None:
            put_at(body, path, value)
    return type(event).model_validate_json(pydantic_core.to_json(body))
