"""Settle what the killed processes left, and put to it the questions of the simulator."""

import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import redrive
from benchmarks.kills.journal import promises, shop
from redrive.faults.acknowledged import Acknowledged
from redrive.faults.flows import policy_of
from redrive.faults.oracles import judge
from redrive.faults.service import Service
from redrive.ledger.ledger import LogLedger
from redrive.projections.view import View

SETTLING_S = 300.0


class Left:
    """What is there when every process is dead: the log, what they were told, and what the shop saw."""

    def __init__(self, folder: Path, engine: redrive.Engine) -> None:
        self.rebuilt = folder / "rebuilt-view.db"
        self.told: Sequence[tuple[int, str]] = ()
        self.foreign: Sequence[str] = ()
        self._folder, self._engine = folder, engine

    @property
    def observer(self) -> LogLedger:
        """The log."""
        return self._engine.ledger

    @property
    def live_view(self) -> View:
        """The view that all of them followed."""
        return self._engine.views

    @cached_property
    def acknowledged(self) -> Acknowledged:
        """What they were told before they died."""
        found = Acknowledged()
        for kind, *words in promises(self._folder):
            if kind == "promise":
                name, *key = words
                found.promise([tuple(key)], name)
            else:
                mark, kept = words
                found.marks[mark] = kept or found.marks.get(mark, False)
        return found

    @cached_property
    def service(self) -> Service:
        """What the shop was asked, and did."""
        found = Service()
        for effect, acts in shop(self._folder).lines():
            found.call(effect, acts=acts)
        return found


def opened(folder: Path) -> redrive.Engine:
    """The log, as each of the processes opens it."""
    url = f"sqlite:///{folder / 'log.db'}"
    return redrive.open(url, redrive_policy=lambda _tenant, automation: policy_of(automation), seal=False)


def settle(engine: redrive.Engine) -> list[str]:
    """Do all that is due until nothing is; what is left then."""
    tenant, end = engine.local, time.monotonic() + SETTLING_S
    while time.monotonic() < end:
        engine.tick()
        while (claim := tenant.claim(worker="last", start=True)) is not None:
            _finish(tenant, claim)
        unfinished = tenant.runs(status=["queued", "running"], limit=1_000).items
        if not unfinished:
            return []
        time.sleep(0.05)
    return [f"run {run.run_id} is {run.status} for ever" for run in unfinished]


def _finish(tenant: redrive.TenantEngine, claim: redrive.Claim) -> None:
    todo = list(claim.attempts)
    while todo:
        try:
            progress = tenant.complete_attempt(todo.pop(), None)
        except redrive.Refused:
            continue
        if not todo and progress.status == "running":
            todo += tenant.start_attempts(claim)


def judged(folder: Path) -> tuple[Left, list[str], int]:
    """What does not hold, and how many events there are."""
    with opened(folder) as engine:
        stuck = settle(engine)
        left = Left(folder, engine)
        return left, [*stuck, *judge(left, views=True)], engine.ledger.last_position()
