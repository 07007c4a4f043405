"""How limits stand: what is in use of them, and who waits."""

from dataclasses import dataclass

from redrive.domain.identity import Tenant
from redrive.domain.limits import Bucket, Limit, key_of, keys_of_run, tokens_in
from redrive.ledger.readable import ReadableLog
from redrive.ledger.storage_errors import storage_errors


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """A limit, with how many are *in_use* now, how many *tokens_left* a rate has now (None: no rate), and how many
    runs are *waiting* for room (of a limit of runs: those that are due, which it does not count, stay queued)."""

    scope: str
    name: str
    concurrency: int | None
    tokens: int | None
    period_ms: int | None
    burst: int | None
    in_use: int
    tokens_left: int | None
    waiting: int


def statuses(ledger: ReadableLog, tenant: Tenant | None) -> tuple[LimitStatus, ...]:
    """Every limit in order of its name, or that of one tenant alone."""
    now_ms = ledger.now_ms()
    with storage_errors(ledger.path):
        capacity = ledger.capacity()
        waiting = capacity.waiting()
        known = sorted(capacity.book.limits.values(), key=lambda limit: limit.key)
        if tenant is not None:
            known = [limit for limit in known if limit.key == key_of("tenant", str(tenant))]
        return tuple(
            _status(limit, capacity.gauge(limit).used, capacity.gauge(limit).bucket, waiting[limit.key], now_ms)
            for limit in known
        )


def full_for_runs(ledger: ReadableLog, tenant: Tenant) -> tuple[str, ...]:
    """The limits under which no more runs of *tenant* may be claimed now."""
    with storage_errors(ledger.path):
        return tuple(dict.fromkeys(use.limit for use in ledger.capacity().room(keys_of_run(tenant)).full))


def _status(limit: Limit, in_use: int, bucket: Bucket, waiting: int, now_ms: int) -> LimitStatus:
    rate = limit.rate
    return LimitStatus(
        scope=limit.scope,
        name=limit.name,
        concurrency=limit.concurrency,
        tokens=rate.tokens if rate else None,
        period_ms=rate.period_ms if rate else None,
        burst=rate.burst if rate else None,
        in_use=in_use,
        tokens_left=None if rate is None else tokens_in(rate, bucket, now_ms),
        waiting=waiting,
    )
