"""Everything redrive raises, drawn as a tree.

RedriveError
├── InvalidValue (ValueError)   bad input: field, value, what would be accepted          CLI exit 2
│   └── InvalidFlow             a graph that cannot be run: cycle, dangling parent, …     CLI exit 2
├── Refused                     the rules say no; nothing was written                     CLI exit 3
│   ├── NotRunning · StaleEpoch · StaleAttempt          fencing of reports
│   ├── KeyReused · NotAllowed · NodeNotReady · AttemptsRunning
│   ├── LimitReached                                    concurrency and rate
│   ├── RetryUnavailable · BudgetSpent                  dead letters
│   ├── InFlight · OutcomePending · Compensated                       effects
│   ├── PayloadDestroyed · PayloadLocked                encryption per subject
│   ├── WrongShard · OneShardOnly                       tenants over several logs
│   └── StreamReadOnly          holds an event of a newer version
├── NotFound                    unknown, or another tenant's: both look the same          CLI exit 4
├── Conflict                    another writer was first; try again                       CLI exit 5
├── StorageError                disk full, locked, read-only, corrupted, newer schema     CLI exit 5
│   └── EngineClosed · StreamDamaged · SealRefused · ReadOnlyLog · ArchiveUnreadable · ShardMissing
├── AnchorFailed            nobody outside of the database could be told                CLI exit 5
└── StreamUnreadable            marks StreamReadOnly, StreamDamaged, Payload…, Archive…: left alone, all else works
"""

import copyreg
from collections.abc import Sequence
from typing import Any, ClassVar


class RedriveError(Exception):
    """Base of every error that redrive raises on purpose."""

    code: ClassVar[str] = "error"

    def __reduce__(self) -> tuple[Any, ...]:
        """Between processes as it is: a constructor takes other arguments than the sentence that it makes of them."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class InvalidValue(RedriveError, ValueError):
    """A value from outside cannot be accepted."""

    code = "invalid-value"

    def __init__(self, field: str, value: object, accepted: str) -> None:
        self.field, self.value, self.accepted = field, value, accepted
        found = "nothing is given" if value is None else f"{_shown(value)} is not accepted"
        super().__init__(f"{field}: {found}; expected {accepted}")


class InvalidFlow(InvalidValue):
    """The nodes do not form a graph that can be run."""

    code = "invalid-flow"


class NotFound(RedriveError):
    """No such record for this tenant; one of another tenant looks exactly the same."""

    code = "not-found"

    def __init__(self, kind: str, key: str) -> None:
        self.kind, self.key = kind, key
        super().__init__(f"{kind} {_shown(key)} was not found")


class Conflict(RedriveError):
    """Another writer moved a stream that this decision had read."""

    code = "conflict"


class StorageError(RedriveError):
    """The log could not be read or written; nothing was acknowledged that is not durable."""

    code = "storage"


class EngineClosed(StorageError):
    """The engine was closed, or opened before a fork; commands and queries need one that is open in this process."""

    code = "engine-closed"


class SealRefused(StorageError):
    """The stored tree, its last checkpoint and the pinned one disagree: nothing was signed. Run ``redrive verify``."""

    code = "seal-refused"


class AnchorFailed(RedriveError):
    """A checkpoint could not be told to somebody outside of the database; nothing was recorded."""

    code = "anchor-failed"


class ReadOnlyLog(StorageError):
    """The log is an evidence bundle: it can be asked, and never changes."""

    code = "read-only-log"

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path}: this is an evidence bundle; it can be asked, and nothing else. `redrive bundle verify` checks it"
        )


class ShardMissing(StorageError):
    """A log shares its tenants with others, and not all of them were given: nothing is placed anew because of that."""

    code = "shard-missing"

    def __init__(self, path: str, missing: Sequence[str]) -> None:
        self.path, self.missing = path, tuple(missing)
        super().__init__(
            f"{path}: this log shares its tenants with {len(missing)} more that are not given: "
            f"{_shown(', '.join(missing), 400)}; give the URLs of all of them"
        )


class Refused(RedriveError):
    """The rules forbid the command in the present state; nothing was written."""

    code = "refused"


class NotRunning(Refused):
    """The run is not being executed (any more), so that nobody can report on it."""

    code = "not-running"

    def __init__(self, run: str, status: str) -> None:
        self.run, self.status = run, status
        super().__init__(f"run {run} is {status}, not running")


class StaleEpoch(Refused):
    """The caller's claim was taken over by a later one."""

    code = "stale-epoch"

    def __init__(self, key: str, *, held: int, current: int, kind: str = "run") -> None:
        self.kind, self.key, self.held, self.current = kind, key, held, current
        self.run = key if kind == "run" else None
        super().__init__(f"{kind} {key} is at epoch {current}; this claim holds {held}")


class StaleAttempt(Refused):
    """The attempt is no longer running, or it already ended in another way."""

    code = "stale-attempt"

    def __init__(self, run: str, node: str, lifetime: int, why: str) -> None:
        self.run, self.node, self.lifetime = run, node, lifetime
        super().__init__(f"attempt {lifetime} of node {_shown(node)} in run {run} {why}")


class KeyReused(Refused):
    """The same key came again with another content."""

    code = "key-reused"

    def __init__(self, key: str, what: str) -> None:
        self.key = key
        super().__init__(f"key {_shown(key)} was used before with another {what}")


class NotAllowed(Refused):
    """The command does not fit the state of its subject."""

    code = "not-allowed"

    def __init__(self, command: str, subject: str, why: str) -> None:
        self.command, self.subject = command, subject
        super().__init__(f"cannot {command} {subject}: {why}")


class NodeNotReady(Refused):
    """The node cannot start now: parents are open, a backoff holds, or nothing new may start."""

    code = "node-not-ready"

    def __init__(self, run: str, node: str, why: str) -> None:
        self.run, self.node = run, node
        super().__init__(f"node {_shown(node)} of run {run} cannot start: {why}")


class AttemptsRunning(Refused):
    """A claim cannot be released while attempts of it are running."""

    code = "attempts-running"

    def __init__(self, run: str, nodes: list[str]) -> None:
        self.run, self.nodes = run, nodes
        super().__init__(f"run {run} still runs {len(nodes)} attempt(s), of node {_shown(nodes[0])} first")


class LimitReached(Refused):
    """A limit forbids the start now. *retry_at_ms*: when a rate will allow it; None: when a slot is freed."""

    code = "limit-reached"

    def __init__(self, run: str, node: str, *, limit: str, used: int, of: int, retry_at_ms: int | None) -> None:
        self.run, self.node, self.limit, self.used, self.of = run, node, limit, used, of
        self.retry_at_ms = retry_at_ms
        when = "" if retry_at_ms is None else f"; try again at {retry_at_ms}"
        super().__init__(f"node {_shown(node)} of run {run} cannot start: {_shown(limit)} uses {used} of {of}{when}")


class RetryUnavailable(Refused):
    """A retry is not among the dead letter's options."""

    code = "retry-unavailable"

    def __init__(self, dead_letter: str, why: str) -> None:
        self.dead_letter, self.why = dead_letter, why
        super().__init__(f"dead letter {dead_letter} cannot be retried: {why}")


class BudgetSpent(Refused):
    """All dispatches that the redrive policy allows were used; an operator may grant more."""

    code = "budget-spent"

    def __init__(self, dead_letter: str, *, dispatches: int, budget: int) -> None:
        self.dead_letter, self.dispatches, self.budget = dead_letter, dispatches, budget
        super().__init__(f"dead letter {dead_letter} used {dispatches} of {budget} dispatches; grant retries first")


class InFlight(Refused):
    """Somebody else may be sending the effect at this moment."""

    code = "in-flight"

    def __init__(self, effect: str, holder: str) -> None:
        self.effect, self.holder = effect, holder
        super().__init__(f"effect {effect} is being sent by {_shown(holder)}: wait for its outcome")


class Compensated(Refused):
    """The effect was given up for its compensation: it is neither sent, nor does its receipt stand."""

    code = "compensated"

    def __init__(self, effect: str, compensation: str, status: str) -> None:
        self.effect, self.compensation, self.status = effect, compensation, status
        super().__init__(f"effect {effect} was given up: its compensation {compensation} is {status}")


class OutcomePending(Refused):
    """An attempt cannot be put off while an effect of it lacks an outcome."""

    code = "outcome-pending"

    def __init__(self, run: str, node: str, effect: str) -> None:
        self.run, self.node, self.effect = run, node, effect
        super().__init__(f"node {_shown(node)} of run {run} cannot snooze: effect {effect} has no outcome yet")


class StreamUnreadable(RedriveError):
    """A stream cannot be understood in full; what concerns it is left alone, everything else works."""

    code = "stream-unreadable"


class StreamDamaged(StorageError, StreamUnreadable):
    """The bytes of a stream make no sense: restore a backup."""

    code = "stream-damaged"


class ArchiveUnreadable(StorageError, StreamUnreadable):
    """What is asked for was archived, and its archive is missing, damaged, or another one. *changed*: it is there, but
    what it holds is not what was archived."""

    code = "archive-unreadable"

    def __init__(self, path: str, why: str, *, changed: bool = False) -> None:
        self.path, self.why, self.changed = path, why, changed
        super().__init__(f"{path}: the archive cannot be read: {why}; put it back there, or beside the log")


class StreamReadOnly(Refused, StreamUnreadable):
    """The stream holds an event this version does not know; it may be read, never continued."""

    code = "stream-read-only"

    def __init__(self, stream: str, topic: str) -> None:
        self.stream, self.topic = stream, topic
        super().__init__(f"stream {stream} holds the unknown event {_shown(topic)}: read-only in this version")


class PayloadDestroyed(Refused, StreamUnreadable):
    """What the work needs is gone: the key of its subject was destroyed. It can still be cancelled and closed."""

    code = "payload-destroyed"

    def __init__(self, stream: str) -> None:
        self.stream = stream
        super().__init__(f"the payload of {stream} is destroyed with its key: nothing is executed, sent or compared")


class PayloadLocked(Refused, StreamUnreadable):
    """A payload is encrypted with a key that is not here: nothing can be decided about it. Or it would be encrypted,
    were the key store here (*begins*): nothing is begun."""

    code = "payload-locked"

    def __init__(self, stream: str, key: str = "", store: str = "", *, begins: bool = False) -> None:
        self.stream, self.key, self.store = stream, key, store
        where = f"key {key} is not in {store}" if key else "its key is not here"
        why = (
            f"would be written in plain, but this log is encrypted, and {where}"
            if begins
            else f"is encrypted and {where}"
        )
        super().__init__(f"the payload of {stream} {why}: open the log with its key store (setting key_store)")


class WrongShard(Refused):
    """The tenant is not at home in this log, which is one of several that share the tenants among them."""

    code = "wrong-shard"

    def __init__(self, tenant: str, why: str) -> None:
        self.tenant, self.why = tenant, why
        super().__init__(f"tenant {_shown(tenant)} is not at home in this log: {why}")


class OneShardOnly(Refused):
    """What is asked concerns one log, and several were opened together: ask ``engine.shards[i]``."""

    code = "one-shard-only"

    def __init__(self, asked: str, shards: int, way: str | None = None) -> None:
        self.asked, self.shards = asked, shards
        super().__init__(f"{asked} concerns one log, and {shards} are open: {way or f'ask engine.shards[i].{asked}'}")


def _shown(value: object, most: int = 120) -> str:
    """*value* as a short, printable, one-line text."""
    try:
        text = ascii(value) if not isinstance(value, str) else repr(value[:most])
    except (ValueError, RecursionError):  # an integer of more than 4,300 digits, a list that is too deep
        text = f"<{type(value).__name__}>"
    return text if len(text) <= most else text[: most - 1] + "…"
