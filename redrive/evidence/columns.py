"""The columns of a row and the envelope they were copied from.

Topic, stream, version and time are part of the leaf. Tenant and correlation lie within the state, which the leaf
covers; their columns are copies, and a changed copy would show an event to somebody else.
"""

from functools import lru_cache

import pydantic_core

_TENANT, _CORRELATION, _DATA = b',"tenant":', b',"correlation":', b',"data":'


def differing_column(state: bytes, tenant: object, correlation: object) -> str | None:
    """Which column is not what the envelope of *state* says: tenant or correlation; None when both are. Raises
    ValueError for a state without an envelope of ours."""
    if type(tenant) is str and type(correlation) is str:
        # Within JSON texts quotes are escaped: what stands there bare is the envelope's own, as long as its data, which
        # may hold anything, comes after it.
        at = state.find(_member(_TENANT, tenant))
        if 0 < at < state.find(_member(_CORRELATION, correlation), at) < state.find(_DATA):
            return None
    return _differing(state, tenant, correlation)


def _differing(state: bytes, tenant: object, correlation: object) -> str | None:
    """The same by parsing all of it."""
    envelope = pydantic_core.from_json(state)
    if not isinstance(envelope, dict) or not {"tenant", "correlation"} <= envelope.keys():
        raise ValueError("the state has no envelope")
    if envelope["tenant"] != tenant:
        return "tenant"
    return "correlation" if envelope["correlation"] != correlation else None


@lru_cache(maxsize=65_536)
def _member(name: bytes, value: str) -> bytes:
    """A member of the envelope as it is stored, up to the comma behind it."""
    return name + pydantic_core.to_json(value) + b","
