"""Holding back: a run of which nothing may start, because limits are reached, waits in their lines."""

from collections.abc import Container, Mapping

from redrive.domain.identity import NodeId
from redrive.domain.limits import Room
from redrive.domain.run import events as e
from redrive.domain.run.state import Run, Status


def waits_for_room(run: Run, node: NodeId) -> bool:
    """Whether *node* waits for a limit that holds its run back."""
    return bool(run.held_by) and any(key in run.held_by for key in run.flow.nodes[node].limit_keys)


def hold_run(run: Run, rooms: Mapping[NodeId, Room], now_ms: int) -> list[e.RunQueued]:
    """Put the run in the lines of the limits that forbid its nodes to start; its claim, if any, ends.

    *rooms* is what the limits say of every node that could start now; those that have room make it due at once, for
    whoever can execute them. No event when it waits for the same limits already.
    """
    uses = {(use.limit, use.kind): use for room in rooms.values() for use in room.full}
    full = {use.limit for use in uses.values()}
    if run.status is Status.QUEUED and set(run.held_by) == full:
        return []
    tokens = [room.retry_at_ms for room in rooms.values() if room.retry_at_ms is not None]
    dues = [*tokens, *_later(run, full, now_ms)]
    if any(not room.full for room in rooms.values()):
        dues.append(now_ms)
    return [
        e.RunQueued(
            reason="rate_limit" if tokens else "resource_lock",
            due_ms=min(dues, default=None),
            limits=tuple(uses.values()),
            since_ms=_since(run, now_ms),
        )
    ]


def _since(run: Run, now_ms: int) -> int:
    """A run that is passed over keeps its place; a due one has waited since it was due."""
    if run.held_since_ms is not None:
        return run.held_since_ms
    return now_ms if run.due_ms is None else min(run.due_ms, now_ms)


def _later(run: Run, full: Container[str], now_ms: int) -> list[int]:
    """When nodes are due that wait for a time, and for none of these limits."""
    return [
        due
        for node, due in run.waiting.items()
        if due > now_ms and not any(key in full for key in run.flow.nodes[node].limit_keys)
    ]
