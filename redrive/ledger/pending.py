"""A command that waits for its commit, and its result."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from redrive.domain.ports import Caller

if TYPE_CHECKING:
    from redrive.ledger.transaction import LedgerTransaction

T = TypeVar("T")


class Pending(Generic[T]):
    """A command's result, which exists once its batch is durable."""

    __slots__ = ("_done", "_error", "_gate", "_value", "caller", "command", "reads")

    def __init__(self, caller: Caller, command: "Callable[[LedgerTransaction], T]") -> None:
        self.caller, self.command = caller, command
        self.reads: Sequence[str] = ()
        self._done = False
        self._gate: threading.Lock | None = None
        self._value: T | None = None
        self._error: BaseException | None = None

    def done(self) -> bool:
        """Whether the outcome is known."""
        return self._done

    def result(self) -> T:
        """What the command returned, or raises what it raised. Only after the batch was committed."""
        if not self._done:
            raise RuntimeError("the batch is not committed yet: ask after its with block")
        if self._error is not None:
            raise self._error
        return cast(T, self._value)

    def settle(self, value: T | None, error: BaseException | None = None) -> None:
        """Set the outcome."""
        self._value, self._error = value, error

    def release(self) -> None:
        """Make the outcome known, and wake who waits for it."""
        self._done = True
        if self._gate is not None:
            self._gate.release()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the outcome is known, at most *timeout_s*; whether it is."""
        gate = self._gate = threading.Lock()  # set before it is asked, so that who releases sees it or is seen
        gate.acquire()
        return self._done or gate.acquire(timeout=timeout_s)


def tell_lost(jobs: Iterable[Pending[Any]], failure: Exception) -> None:
    """They were taken off the queue, and nobody commits: whoever did was interrupted before they could be told."""
    for job in jobs:
        if not job.done():
            job.settle(None, failure)
            job.release()
