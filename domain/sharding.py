"""Which of several logs a tenant's records belong to: rules that every process applies alike."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from redrive.domain.identity import StreamId, Tenant, derived_id

SHARDS_STREAM = StreamId(derived_id(Tenant(), "shards"))
"""The stream in which a log keeps which logs it belongs together with."""

ShardSet = frozenset[str]
"""The ids of logs that share the tenants among them."""


@lru_cache(maxsize=4_096)
def placement_stream_of(tenant: Tenant) -> StreamId:
    """The stream in which a log keeps that *tenant* is at home in it."""
    return StreamId(derived_id(tenant, "placement"))


def by_weight(tenant: Tenant, shards: Iterable[str]) -> list[str]:
    """The ids *shards* of logs in the order in which they claim *tenant*: the first is its home unless it has another.

    Rendezvous hashing (Thaler and Ravishankar, 1998): one more shard takes from each other an equal part of the
    tenants that are new, and changes nothing between the others. Neither the order nor the URLs of logs matter.
    """
    name = str(tenant).encode()
    return sorted(
        shards, key=lambda shard: (hashlib.sha256(shard.encode() + b"\0" + name).digest(), shard), reverse=True
    )


def grew(before: Collection[ShardSet]) -> bool:
    """Whether the recorded sets *before* are steps of one growth, each within the next: no tenant can be at home in
    two of them. Logs of two sets that grew apart may both know a tenant."""
    steps = sorted(set(before), key=len)
    return all(smaller < larger for smaller, larger in pairwise(steps))


def missing(recorded: Iterable[ShardSet], given: Collection[str]) -> Sequence[str]:
    """The shards that *recorded* sets name, and that are not among those *given*."""
    return sorted({shard for one in recorded for shard in one} - set(given))


def in_two(homes: Iterable[tuple[str, Collection[Tenant]]]) -> dict[Tenant, list[str]]:
    """The tenants that are at home in more than one of *homes* (a name, and who is at home there)."""
    found: dict[Tenant, list[str]] = {}
    for name, tenants in homes:
        for tenant in tenants:
            found.setdefault(tenant, []).append(name)
    return {tenant: names for tenant, names in found.items() if len(names) > 1}
