"""Fairness by chance: three workers that share one slot look in any order, and none passes whom another looked for."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from redrive import Claim, RunId
from tests.processes.test_limits_fairness import MAIL, end, flow, look
from tests.processes.workshop import ANA, Shop

WORKERS = (("a",), ("b",), ("a", "c"))
SUBMITS = st.tuples(st.just("submit"), st.sampled_from("abc"))
LOOKS = st.tuples(st.just("look"), st.sampled_from(range(len(WORKERS))))
ENDS = st.tuples(st.just("end"), st.just(0))


class Office:
    """What has been submitted and waits, the oldest first; who is *looked_for*; who has the slot."""

    def __init__(self, folder: str) -> None:
        self.shop = Shop(Path(folder) / "log.db")
        self.shop.engine.set_limit(MAIL, **ANA)
        self.waiting: dict[RunId, str] = {}
        self.looked_for: set[RunId] = set()
        self.running: Claim | None = None

    def submit(self, handler: str) -> None:
        """One more waits."""
        self.waiting[self.shop.submit(flow(handler))] = handler

    def end(self, _: int = 0) -> None:
        """The slot is freed."""
        if self.running is not None:
            end(self.shop, self.running)
            self.running = None

    def look(self, worker: int) -> None:
        """A worker looks; whom it gets, nobody who is older is looked for."""
        served = [run for run, handler in self.waiting.items() if handler in WORKERS[worker]]
        if (claim := look(self.shop, *WORKERS[worker])) is None:
            if self.running is not None:
                oldest = {self.waiting[run]: run for run in reversed(served)}
                self.looked_for |= set(oldest.values())
            return
        older = list(self.waiting)[: list(self.waiting).index(claim.run_id)]
        assert claim.run_id == served[0]
        assert self.running is None
        assert self.looked_for.isdisjoint(older)
        del self.waiting[claim.run_id]
        self.running = claim

    def drain(self) -> None:
        """Nobody waits for somebody who waits for him: each round ends one."""
        for _ in range(len(self.waiting) + 1):
            self.end()
            for worker in range(len(WORKERS)):
                self.look(worker)
        assert not self.waiting


@settings(max_examples=25, deadline=None)
@given(st.lists(SUBMITS | LOOKS | LOOKS | ENDS, max_size=30))
def test_nobody_passes_whom_somebody_looks_for(steps: list[tuple[str, int]]) -> None:
    """In whatever order they come; and in the end everybody was served."""
    with TemporaryDirectory() as folder:
        office = Office(folder)
        for verb, argument in steps:
            office.shop.now += 20
            getattr(office, verb)(argument)
        office.drain()
        office.shop.check()
        office.shop.engine.close()
