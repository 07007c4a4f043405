"""Capacity: which nodes limits allow to start, who is held back, and what an operator does to limits."""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from redrive.domain.errors import InvalidValue, LimitReached, NotFound
from redrive.domain.event import Event
from redrive.domain.identity import NodeId, Tenant
from redrive.domain.limits import UNLIMITED, First, Limit, LimitUse, Room, Scope, key_of, keys_of_run, name_of
from redrive.domain.ports import Ahead, DueKey, Transaction
from redrive.domain.records import LimitRemoved, LimitSet
from redrive.domain.run.attempts import startable
from redrive.domain.run.holding import hold_run
from redrive.domain.run.state import Run


class Starter(NamedTuple):
    """Who starts something: a worker that sees *tenant* (None: all) and has *handlers* (None: any), for a queued run
    whose place is (due, created), or (None) for one that it holds already, which lets every waiter go first."""

    tenant: Tenant | None
    handlers: Container[str] | None
    place: DueKey | None = None


@dataclass(slots=True)
class Starting:
    """The *nodes* that may start, with the limits that were counted; *possible* when there is, or would be, one.
    *rooms* is what limits said of every node that was asked."""

    nodes: dict[NodeId, tuple[LimitUse, ...]] = field(default_factory=dict)
    rooms: dict[NodeId, Room] = field(default_factory=dict)
    possible: bool = False


def room_for_run(tx: Transaction, tenant: Tenant, starter: Starter | None = None) -> Room:
    """Whether one more run of *tenant* may be claimed (by *starter*, who leaves what is free to older ones that
    somebody else is about to claim)."""
    if not tx.limited:
        return UNLIMITED
    keys = keys_of_run(tenant)
    room = tx.limits.room(keys)
    if starter is None or room.full or not room.uses:
        return room
    first = {key: First(0, tx.limits.kept(key, starter.tenant, starter.handlers, before=starter.place)) for key in keys}
    return tx.limits.room(keys, first) if any(map(any, first.values())) else room


def admit(tx: Transaction, run: Run, nodes: Iterable[NodeId], most: int | None, starter: Starter) -> Starting:
    """Choose from *nodes*, in their order, at most *most* (None: all) that limits allow to start together."""
    if not tx.limited:
        return Starting(dict.fromkeys(islice(nodes, None if most is None else max(0, most)), ()), {}, bool(nodes))
    starting = Starting()
    full: dict[tuple[str, ...], Room] = {}
    first: dict[str, First] = {}
    for node in nodes:
        if most is not None and len(starting.nodes) >= max(most, 1):
            break
        keys = run.flow.nodes[node].limit_keys
        room = full.get(keys) or _room(tx, run, keys, starter, first)
        starting.rooms[node] = room
        if room.full:
            full[keys] = room
            continue
        starting.nodes[node] = room.uses
        tx.limits.reserve(keys)
    starting.possible = bool(starting.nodes)
    if most == 0:
        starting.nodes = {}
    return starting


def _room(tx: Transaction, run: Run, keys: tuple[str, ...], starter: Starter, first: dict[str, First]) -> Room:
    room = tx.limits.room(keys)
    if room.full or not room.uses:
        return room
    who: Ahead = "all" if starter.place is None else "passed_over"
    for key in keys:
        if key not in first:
            asks = (key, starter.tenant, starter.handlers)
            first[key] = First(
                tx.limits.ahead(*asks, who=who, before=starter.place, run=run.id),
                tx.limits.kept(*asks, before=starter.place, run=run.id),
            )
    return tx.limits.room(keys, first) if any(map(any, first.values())) else room


def hold_back(tx: Transaction, run: Run, starting: Starting) -> Sequence[Event]:
    """The run waits for room, because none of the nodes that a worker asked for may start."""
    rooms = dict(starting.rooms)
    others: dict[tuple[str, ...], Room] = {}
    for node in startable(run, tx.now_ms):
        if node not in rooms:
            keys = run.flow.nodes[node].limit_keys
            rooms[node] = others[keys] = others.get(keys) or tx.limits.room(keys)
    return hold_run(run, rooms, tx.now_ms)


def require_room(tx: Transaction, run: Run, node: NodeId) -> tuple[LimitUse, ...]:
    """What limits say of starting *node*. Raises LimitReached."""
    room = tx.limits.room(run.flow.nodes[node].limit_keys)
    if room.full:
        use = room.full[0]
        raise LimitReached(run.id, node, limit=use.limit, used=use.used, of=use.of, retry_at_ms=room.retry_at_ms)
    return room.uses


def setting_limit(limit: Limit, *, again: bool = True) -> Callable[[Transaction], Limit]:
    """A command that sets a limit, or changes it, and returns the one in force.

    Unless *again*, one that is in force as it is stays unwritten, and one that an operator changed last stays as it
    is: a process that starts must not lift a brake.
    """
    if not isinstance(limit, Limit):
        raise InvalidValue("limit", limit, "a Limit")

    def command(tx: Transaction) -> Limit:
        known, by = tx.limits.known(limit.key), tx.limits.set_by(limit.key)
        if known is not None and not again and (known == limit or (by is not None and by.kind == "human")):
            return known
        tx.append_limit(_owner(limit.scope, limit.name), LimitSet(limit=limit))
        return limit

    return command


def changing_limit(scope: Scope, name: str, change: Callable[[Limit | None], Limit]) -> Callable[[Transaction], Limit]:
    """A command that sets what *change* makes of the limit in force (None: there is none). Raises InvalidValue."""
    key = key_of(scope, name_of(scope, name))

    def command(tx: Transaction) -> Limit:
        wanted = change(tx.limits.known(key))
        if not isinstance(wanted, Limit) or wanted.key != key:
            raise InvalidValue("limit", wanted, f"a Limit of {key}")
        return setting_limit(wanted)(tx)

    return command


def removing_limit(scope: Scope, name: str) -> Callable[[Transaction], Limit]:
    """A command that removes a limit, and returns it. Raises InvalidValue here, NotFound."""
    key = key_of(scope, name := name_of(scope, name))

    def command(tx: Transaction) -> Limit:
        known = tx.limits.known(key)
        if known is None:
            raise NotFound("limit", key)
        tx.append_limit(_owner(scope, name), LimitRemoved(limit=key))
        return known

    return command


def _owner(scope: Scope, name: str) -> Tenant:
    """Whose log shows the change: the tenant's that is limited, else the default tenant's."""
    return Tenant.parse(name) if scope == "tenant" else Tenant()
