"""Processes that do their share of all jobs side by side, phase by phase."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from threading import Barrier
from typing import Protocol, TypeVar

from benchmarks.peers.drivers.lifecycles import Measured, Provider

PHASES = 4  # submitted, dead, requested, finished
TIMEOUT_S = 600

T = TypeVar("T")


class Together(Protocol):
    """Where all processes of a crew wait for each other."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait."""


class Worker(Protocol):
    """Who does the work, and is the operator as well."""

    def submit(self, jobs: range) -> None:
        """Submit every job."""

    def work(self) -> None:
        """Work until nothing is due, nor becomes so by what this worker did last."""

    def request_retries(self) -> None:
        """Request the retry of every dead letter that this worker met."""


Shift = Callable[[str, range, Provider, Together], None]
"""The work of one process: open the store, and go through the phases."""


def phases(worker: Worker, share: range, provider: Provider, together: Together) -> None:
    """Ready, wait; then wait once after each of the four phases."""
    together.wait()
    worker.submit(share)
    together.wait()
    worker.work()
    together.wait()
    provider.up = True
    worker.request_retries()
    together.wait()
    worker.work()
    together.wait()


def slices(all_of: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """*size* at a time."""
    for begun in range(0, len(all_of), size):
        yield all_of[begun : begun + size]


def alone(shift: Shift, url: str, lifecycles: int) -> tuple[Measured, Counter[int]]:
    """One process, this one."""
    provider = Provider()
    clock = Clock()
    shift(url, range(lifecycles), provider, clock)
    return clock.measured, provider.calls


class Clock:
    """A crew of one waits for nobody; the first wait starts the measurement, the last ends it."""

    def __init__(self) -> None:
        self.measured = Measured()
        self.waits = 0

    def wait(self, _timeout: float | None = None) -> int:
        """Count."""
        if self.waits == 0:
            self.measured.__enter__()
        elif self.waits == PHASES:
            self.measured.__exit__()
        self.waits += 1
        return 0


def crew(shift: Shift, url: str, lifecycles: int, processes: int) -> tuple[Measured, Counter[int]]:
    """*processes* of their own, started before the clock is."""
    context = get_context("spawn")
    together, results = context.Barrier(processes + 1), context.Queue()
    shares = [range(number, lifecycles, processes) for number in range(processes)]
    workers = [context.Process(target=_work, args=(shift, url, share, together, results)) for share in shares]
    for worker in workers:
        worker.start()
    together.wait(TIMEOUT_S)
    with Measured() as measured:
        for _ in range(PHASES):
            together.wait(TIMEOUT_S)
    found = [results.get(timeout=TIMEOUT_S) for _ in workers]
    for worker in workers:
        worker.join()
    measured.cpu_seconds = sum(cpu_seconds for _, cpu_seconds in found)
    return measured, sum((calls for calls, _ in found), Counter[int]())


def _work(shift: Shift, url: str, share: range, together: Barrier, results: "object") -> None:
    provider, clock = Provider(), Clock()

    class Both:
        def wait(self, timeout: float | None = None) -> int:
            reached = together.wait(timeout or TIMEOUT_S)
            clock.wait()
            return reached

    try:
        shift(url, share, provider, Both())
    except BaseException:
        together.abort()  # or the others would wait for this one
        raise
    results.put((provider.calls, clock.measured.cpu_seconds))  # type: ignore[attr-defined]
