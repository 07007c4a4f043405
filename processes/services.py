"""What the acting parts share: the ledger, the policies, the classifier, and who this process is."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Protocol, cast

from redrive.domain.classifier import Classifier
from redrive.domain.errors import InvalidValue
from redrive.domain.failure import EXECUTION_ERROR, MAX_REASON_BYTES, Failure
from redrive.domain.identity import Principal, Tenant
from redrive.domain.ports import PAGE, START, Caller, Due, FallsDue, Ledger
from redrive.domain.redaction import Redactor
from redrive.domain.run.holder import Holder
from redrive.domain.values import clean_name, cut_text
from redrive.processes.handlers import failure_raised
from redrive.processes.letters import PolicyOf
from redrive.processes.operations import note_given, reason_given

if TYPE_CHECKING:
    from redrive.processes.outbox import Gate, Reconciler


def _nothing() -> None:
    """Nobody asked to be told."""


@dataclass(frozen=True, slots=True)
class Services:
    """The engine's parts, for workers and tickers. *begin_work* is called when one of them begins, *at_tick* are called
    before each tick; *claims* counts what this process claims."""

    ledger: Ledger
    policy_of: PolicyOf
    classifier: Classifier
    redactor: Redactor
    engine: str
    holder: Holder | None
    gate: "Gate | None" = None
    reconcilers: "Mapping[str, Reconciler]" = field(default_factory=dict)
    begin_work: Callable[[], None] = _nothing
    at_tick: list[Callable[[], None]] = field(default_factory=list)
    claims: Iterator[int] = field(default_factory=count)

    def due(self, kind: FallsDue, tenant: Tenant | None) -> Iterator[Sequence[Due]]:
        """What is due, page by page: what nothing can be done about stays, so that each page lies beyond the last."""
        after = START
        while page := self.ledger.due(kind, tenant, PAGE, after):
            yield page
            after = page[-1].place

    def failure(self, failure: Failure | BaseException) -> Failure:
        """*failure* as it is recorded: classified when it is an exception, and redacted."""
        if not isinstance(failure, (Failure, BaseException)):
            raise InvalidValue("failure", failure, "a Failure or an exception")
        if isinstance(failure, BaseException):
            failure = self.classifier.classify_exception(failure)
        reason = cut_text(self.redactor.text(failure.reason), MAX_REASON_BYTES)
        return failure if reason == failure.reason else replace(failure, reason=reason)

    def reason(self, reason: object) -> str:
        """Why somebody acts, as it is recorded: not blank, and redacted. Raises InvalidValue."""
        return self.redactor.text(reason_given(reason))

    def note(self, text: object) -> str:
        """What somebody writes down, as it is recorded: not blank, and redacted. Raises InvalidValue."""
        return self.redactor.text(note_given(text))

    def failure_told(self, error: BaseException) -> Failure:
        """The failure that the host meant by raising *error*. Whatever it raises, there is an answer."""
        try:
            return self.failure(failure_raised(error))
        except Exception as broken:  # noqa: BLE001  # the values within it are the host's
            reason = f"{type(error).__name__} cannot be recorded: {type(broken).__name__}: {broken}"
            return self.failure(Failure(EXECUTION_ERROR, reason[:1_000], kind="invalid_failure"))


class Embedded(Protocol):
    """An engine, for all tenants (*tenant* is None) or for one."""

    @property
    def services(self) -> Services:
        """The engine's parts."""

    @property
    def tenant(self) -> Tenant | None:
        """Whose runs; None for everybody's."""


def engine_given(engine: Embedded) -> Embedded:
    """*engine* as it is. Raises InvalidValue for what has no parts to work with, as an AsyncEngine."""
    if not isinstance(getattr(engine, "services", None), Services):
        accepted = "an Engine or a TenantEngine; of an AsyncEngine, pass engine.sync"
        raise InvalidValue("engine", type(engine).__name__, accepted)
    return engine


class Sharded(Protocol):
    """Several logs that are opened together."""

    @property
    def shards(self) -> "Sequence[Embedded]":
        """The engine of each."""


Served = Embedded | Sharded | Sequence[Embedded]
"""What a worker or a ticker serves: an engine, for all tenants or for one, or several."""


def engines_given(engine: Served) -> tuple[Embedded, ...]:
    """The engines to serve: of several logs, one of each. Raises InvalidValue."""
    several = engine if isinstance(engine, (list, tuple)) else getattr(engine, "shards", None)
    if several is None:
        return (engine_given(cast(Embedded, engine)),)
    if not several:
        raise InvalidValue("engine", several, "at least one engine")
    return tuple(engine_given(one) for one in several)


def own_name() -> str:
    """A name that no other worker has, and that says where to look for this one."""
    return f"{os.uname().nodename}-{os.getpid()}-{os.urandom(2).hex()}"


@lru_cache(maxsize=256)
def worker_principal(worker: str) -> Principal:
    """A worker as an actor."""
    return Principal("worker", worker)


def worker_caller(embedded: Embedded, worker: str) -> Caller:
    """A worker as the caller of commands."""
    return Caller(embedded.tenant, Principal("worker", clean_name(worker, "worker")))
