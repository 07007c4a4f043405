"""Limits: how many run at a time, and how many start per period: in total, per tenant, per resource or provider.

A limit may refuse a claim or a start, never justify one. The rate is a token bucket in whole numbers: one token is
worth *period_ms* units and every millisecond adds *tokens* units, so that nothing is rounded and nothing drifts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

from redrive.domain.errors import InvalidValue
from redrive.domain.identity import Tenant
from redrive.domain.values import JsonValue, clean_integer, clean_name

Scope = Literal["total", "tenant", "resource", "provider"]
LimitKind = Literal["concurrency", "rate"]

TOTAL = "total"
MAX_CONCURRENCY = 1_000_000
MAX_TOKENS = 1_000_000
MAX_PERIOD_MS = 30 * 86_400_000
GIVES_WAY_MS = 200


@dataclass(frozen=True, slots=True)
class Rate:
    """At most *tokens* starts per *period_ms* in the long run, and *burst* (default: *tokens*) at once."""

    tokens: int
    period_ms: int = 1_000
    burst: int = 0

    def __post_init__(self) -> None:
        clean_integer(self.tokens, "rate.tokens", 1, MAX_TOKENS)
        clean_integer(self.period_ms, "rate.period_ms", 1, MAX_PERIOD_MS)
        clean_integer(self.burst, "rate.burst", 0, MAX_TOKENS)
        object.__setattr__(self, "burst", self.burst or self.tokens)


@dataclass(frozen=True, slots=True)
class Limit:
    """How many of *scope* may run at a time (*concurrency*; 0 stops it), and how many may start (*rate*).

    "total" and "tenant" (*name*: org/workspace/deployment) count claimed runs; "resource" and "provider" count the
    running attempts of the nodes that name them, whatever their tenant. Raises InvalidValue.
    """

    scope: Scope
    name: str = ""
    concurrency: int | None = None
    rate: Rate | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", name_of(self.scope, self.name))
        if self.concurrency is not None:
            clean_integer(self.concurrency, "limit.concurrency", 0, MAX_CONCURRENCY)
        if self.rate is not None and not isinstance(self.rate, Rate):
            raise InvalidValue("limit.rate", self.rate, "a Rate")
        if self.concurrency is None and self.rate is None:
            raise InvalidValue("limit", self.key, "a concurrency, a rate, or both")

    @property
    def key(self) -> str:
        """Its name in events and capacity rows: ``total``, or ``scope:name``."""
        return key_of(self.scope, self.name)

    def document(self) -> dict[str, JsonValue]:
        """The limit as JSON."""
        rate = self.rate
        return {
            "scope": self.scope,
            "name": self.name,
            "concurrency": self.concurrency,
            "rate": {"tokens": rate.tokens, "period_ms": rate.period_ms, "burst": rate.burst} if rate else None,
        }

    @classmethod
    def from_document(cls, body: Mapping[str, Any]) -> "Limit":
        """The limit that ``document()`` described."""
        rate = body.get("rate")
        return cls(body["scope"], body["name"], body["concurrency"], Rate(**rate) if rate else None)


def name_of(scope: object, name: object) -> str:
    """*name* as a limit of *scope* may have it. Raises InvalidValue."""
    if scope not in get_args(Scope):
        raise InvalidValue("limit.scope", scope, f"one of {', '.join(get_args(Scope))}")
    if scope == TOTAL:
        if name != "":
            raise InvalidValue("limit.name", name, "no name: there is one total")
        return ""
    if scope == "tenant":
        return str(name if isinstance(name, Tenant) else Tenant.parse(clean_name(name, "limit.name")))
    return clean_name(name, "limit.name")


def key_of(scope: Scope, name: str) -> str:
    """The name of a limit in events and capacity rows."""
    return TOTAL if scope == TOTAL else f"{scope}:{name}"


def keys_of_run(tenant: Tenant) -> tuple[str, ...]:
    """The limits that bind when a run of *tenant* is claimed."""
    return (TOTAL, key_of("tenant", str(tenant)))


def keys_of_node(resource: str | None, provider: str | None) -> tuple[str, ...]:
    """The limits that bind when an attempt of such a node starts."""
    keys = () if resource is None else (key_of("resource", resource),)
    return keys if provider is None else (*keys, key_of("provider", provider))


@dataclass(frozen=True, slots=True)
class LimitUse:
    """A limit that was asked: *used* of *of*, with the start that was decided. For a rate, tokens of its burst."""

    limit: str
    kind: LimitKind
    used: int
    of: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket: *level* units were in it at *at_ms*."""

    level: int = 0
    at_ms: int = 0


def full_bucket(rate: Rate | None, now_ms: int) -> Bucket:
    """A bucket that nothing was taken from yet."""
    return Bucket() if rate is None else Bucket(rate.burst * rate.period_ms, now_ms)


def refilled(rate: Rate, bucket: Bucket, now_ms: int) -> Bucket:
    """The bucket as of *now_ms*. A clock that went backwards gives no tokens, and takes none."""
    gained = max(0, now_ms - bucket.at_ms) * rate.tokens
    return Bucket(min(rate.burst * rate.period_ms, bucket.level + gained), max(bucket.at_ms, now_ms))


def taken(rate: Rate, bucket: Bucket, now_ms: int, tokens: int = 1) -> Bucket:
    """The bucket after so many *tokens* were taken at *now_ms*; it is never in debt."""
    now = refilled(rate, bucket, now_ms)
    return Bucket(max(0, now.level - tokens * rate.period_ms), now.at_ms)


def tokens_in(rate: Rate, bucket: Bucket, now_ms: int) -> int:
    """How many whole tokens there are."""
    return refilled(rate, bucket, now_ms).level // rate.period_ms


def token_at_ms(rate: Rate, bucket: Bucket, now_ms: int, tokens: int = 1) -> int:
    """When there will be *tokens* (no more than the burst)."""
    now = refilled(rate, bucket, now_ms)
    missing = max(0, min(tokens, rate.burst) * rate.period_ms - now.level)
    return now.at_ms + -(-missing // rate.tokens)


class First(NamedTuple):
    """How many come first for a limit: *ahead*, older waiters that the same worker serves, and *kept*, those that
    somebody else is about to start."""

    ahead: int = 0
    kept: int = 0


NOBODY = First()


@dataclass(frozen=True, slots=True)
class Gauge:
    """Where a limit stands: *used* now; *ahead*: how many older waiters have a right to what is free; *kept*: how
    many others what is free is kept for, for a moment."""

    limit: Limit
    used: int
    bucket: Bucket = field(default_factory=Bucket)
    ahead: int = 0
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """Whether there is room: *uses* are the limits with this one counted, *full* those that forbid it.

    *retry_at_ms*: when tokens will have come, if nothing but tokens is missing.
    """

    uses: tuple[LimitUse, ...] = ()
    full: tuple[LimitUse, ...] = ()
    retry_at_ms: int | None = None

    @property
    def stopped(self) -> bool:
        """Whether a limit of 0 forbids it: only an operator can change that."""
        return any(use.of == 0 for use in self.full)


UNLIMITED = Room()


def room_for_one(gauges: Iterable[Gauge], now_ms: int) -> Room:
    """Whether one more may run or start under all of these limits."""
    uses: list[LimitUse] = []
    full: list[LimitUse] = []
    tokens_at: list[int] = []
    for gauge in gauges:
        limit = gauge.limit
        if limit.concurrency is not None:
            fits = gauge.used + gauge.ahead + gauge.kept < limit.concurrency
            use = LimitUse(limit.key, "concurrency", gauge.used + fits, limit.concurrency)
            (uses if fits else full).append(use)
        if limit.rate is not None:
            left, burst = tokens_in(limit.rate, gauge.bucket, now_ms), limit.rate.burst
            behind = min(gauge.ahead, burst - 1)
            fits = left > behind + gauge.kept
            (uses if fits else full).append(LimitUse(limit.key, "rate", burst - left + fits, burst))
            if not fits:
                soonest = now_ms + GIVES_WAY_MS if left > behind else 0  # there are tokens, yet they are kept
                tokens_at.append(max(soonest, token_at_ms(limit.rate, gauge.bucket, now_ms, gauge.ahead + 1)))
    waits = bool(full) and all(use.kind == "rate" for use in full)
    return Room(tuple(uses), tuple(full), max(tokens_at) if waits else None)
