"""What handlers are, and what they may say: return a value, return Snooze, raise Retry or Fatal, or fail."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from redrive.domain.errors import Compensated, InFlight, InvalidValue, KeyReused
from redrive.domain.failure import (
    EXECUTION_ERROR,
    INTERRUPTED,
    MAX_DELAY_MS,
    MAX_GIVEN_BYTES,
    OUTBOX_SEND,
    PROVIDER_TRANSIENT,
    Failure,
)
from redrive.domain.values import clean_integer
from redrive.processes.handout import Attempt

Delay: TypeAlias = int | timedelta
_RAISED = "what was raised is no exception: return redrive.Snooze(delay), or raise Retry, Fatal or another exception"


def milliseconds(delay: Delay) -> int:
    """A delay in milliseconds: an integer is taken as milliseconds."""
    return round(delay / timedelta(milliseconds=1)) if isinstance(delay, timedelta) else delay


@dataclass(frozen=True, slots=True)
class Snooze:
    """Return it to be called again after *delay* (milliseconds, or a timedelta); the attempt's number stays."""

    delay: Delay


Handler: TypeAlias = Callable[[Attempt], Any]
"""A function of an attempt, sync or async. It returns JSON, or Snooze."""


class Retry(Exception):
    """Raise it to fail the attempt in a way that is worth another; *delay* takes the place of the policy's."""

    def __init__(self, reason: str, delay: Delay | None = None, *, failure_class: str = PROVIDER_TRANSIENT) -> None:
        super().__init__(reason)
        self.reason, self.delay, self.failure_class = reason, delay, failure_class


class Fatal(Exception):
    """Raise it to fail the attempt for good, whatever the policy allows."""

    def __init__(self, reason: str, *, failure_class: str = EXECUTION_ERROR) -> None:
        super().__init__(reason)
        self.reason, self.failure_class = reason, failure_class


class NotSent(Exception):
    """Raise it in ``send`` when nothing left this process: the effect failed, and may be sent again. *delay* takes the
    place of the policy's."""

    def __init__(self, reason: str, *, failure_class: str = PROVIDER_TRANSIENT, delay: Delay | None = None) -> None:
        super().__init__(reason)
        self.reason, self.failure_class, self.delay = reason, failure_class, delay


class Rejected(Exception):
    """Raise it in ``send`` when the other side refused, with its *receipt*: the effect failed, and did not happen.
    Policies retry the default class, outbox_send; for a refusal that will be the same tomorrow, give *failure_class*
    "provider_rejected". *delay*, when it asked for one, takes the place of the policy's."""

    def __init__(
        self, reason: str, receipt: Any = None, *, failure_class: str = OUTBOX_SEND, delay: Delay | None = None
    ) -> None:
        super().__init__(reason)
        self.reason, self.receipt, self.failure_class, self.delay = reason, receipt, failure_class, delay


class AttemptError(Exception):
    """Raise it to fail the attempt with a failure that is classified already."""

    def __init__(self, failure: Failure) -> None:
        if not isinstance(failure, Failure):
            raise InvalidValue("failure", failure, "a Failure, such as redrive.Failure('provider_auth', '401')")
        super().__init__(failure.reason)
        self.failure = failure

    def __reduce__(self) -> tuple[type["AttemptError"], tuple[Failure]]:
        """Between processes as its failure."""
        return type(self), (self.failure,)


def failure_raised(error: Failure | BaseException) -> Failure | BaseException:
    """The failure that a handler meant by raising *error*; the error itself when the classifier must tell.

    Of a group, as a TaskGroup raises it, what hopes least for another attempt. Raises InvalidValue, or whatever a
    handler's own values raise, when what was meant cannot be recorded.
    """
    if isinstance(error, BaseExceptionGroup):
        return min(map(failure_raised, error.exceptions), key=_hope)
    if isinstance(error, TypeError) and error.args == ("exceptions must derive from BaseException",):
        return TypeError(_RAISED).with_traceback(error.__traceback__)  # Python does not say what it was
    return _raised_alone(error)


def _raised_alone(error: Failure | BaseException) -> Failure | BaseException:
    match error:
        case Failure():
            return error
        case AttemptError(failure=failure):
            return failure
        case Retry():
            return Failure(error.failure_class, _said(error.reason), kind="retry", delay_ms=_delay(error.delay))
        case NotSent() | Rejected():
            kind = "not_sent" if isinstance(error, NotSent) else "rejected"
            return Failure(error.failure_class, _said(error.reason), kind=kind, delay_ms=_delay(error.delay))
        case InFlight():
            return Failure(PROVIDER_TRANSIENT, str(error), kind="in_flight")
        case Compensated():
            return Failure(EXECUTION_ERROR, str(error), kind="compensated", final=True)
        case KeyReused():
            return Failure(EXECUTION_ERROR, str(error), kind="key_reused", final=True)
        case Fatal():
            return Failure(error.failure_class, _said(error.reason), kind="fatal", final=True)
        case asyncio.CancelledError():
            return Failure(INTERRUPTED, "the handler was cancelled", kind="cancelled")
        case _:
            return error


def _hope(meant: Failure | BaseException) -> int:
    """How much a failure hopes for another attempt."""
    if not isinstance(meant, Failure):
        return 2  # the classifier tells
    return 0 if meant.final else 3 if meant.failure_class == PROVIDER_TRANSIENT else 1


def _said(reason: object) -> str:
    """A reason as text: handlers pass the exception that they caught, or all that a provider wrote."""
    return str(reason)[: MAX_GIVEN_BYTES // 4]


def _delay(delay: Delay | None) -> int | None:
    if delay is None:
        return None
    return min(max(clean_integer(milliseconds(delay), "delay", -(2**53), 2**53), 0), MAX_DELAY_MS)
