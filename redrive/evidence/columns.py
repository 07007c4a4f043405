"""The columns of a row and the envelope they were copied from.

Topic, stream, version and time are part of the leaf. Tenant and correlation lie within the state, which the leaf
covers; their columns are copies, and a changed copy would show an event to somebody else.
"""

from collections.abc import Sequence
from functools import lru_cache

import pydantic_core

from redrive.evidence.store import StoredRow

_TENANT, _CORRELATION, _DATA = b',"tenant":', b',"correlation":', b',"data":'


def doubtful(rows: Sequence[StoredRow | None]) -> list[int]:
    """Which of *rows* must be looked at: of the others, a glance tells that both columns are what the envelope says."""
    found: list[int] = []
    for n, row in enumerate(rows):
        try:
            _, _, _, _, state, tenant, correlation, _ = row  # type: ignore[misc]
            # Within JSON texts quotes are escaped: what stands there bare is the envelope's own, as long as its data,
            # which may hold anything, comes after it.
            at = state.find(_member(tenant))
            if 0 < at < state.find(_later_member(correlation), at) < state.find(_DATA):
                continue
        except (TypeError, ValueError, AttributeError):
            pass
        found.append(n)
    return found


def differing_column(state: bytes, tenant: object, correlation: object) -> str | None:
    """Which column is not what the envelope of *state* says: tenant or correlation; None when both are. Raises
    ValueError for a state without an envelope of ours."""
    envelope = pydantic_core.from_json(state)
    if not isinstance(envelope, dict) or not {"tenant", "correlation"} <= envelope.keys():
        raise ValueError("the state has no envelope")
    if envelope["tenant"] != tenant:
        return "tenant"
    return "correlation" if envelope["correlation"] != correlation else None


def is_id_of(state: bytes, event_id: object) -> bool:
    """Whether a state has this id; one without an envelope of ours has any."""
    try:
        return bool(pydantic_core.from_json(state)["id"] == event_id)
    except (ValueError, TypeError, LookupError):
        return True


@lru_cache(maxsize=1_024)
def _member(tenant: object) -> bytes:
    """The tenant's member of an envelope as it is stored, up to the comma behind it. Raises TypeError, ValueError."""
    return _TENANT + _text(tenant) + b","


@lru_cache(maxsize=65_536)
def _later_member(correlation: object) -> bytes:
    return _CORRELATION + _text(correlation) + b","


def _text(value: object) -> bytes:
    if type(value) is not str:
        raise TypeError("the column is no text")
    return pydantic_core.to_json(value)
