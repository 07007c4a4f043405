"""A log with an incident in it: a provider is down, a dead letter opens, an operator notes and retries, it works."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redrive
from tests.stores import log_url

BEGIN_MS = 1_795_312_000_000
HOUR_MS = 3_600_000
HOSTILE = "HTTP 503 from <bank> & co \x1b[31m\x00 ]]> \u202eabc"
TRY = redrive.RetryPolicy(
    max_attempts=5,
    backoff=redrive.Backoff(strategy=redrive.Strategy.EXPONENTIAL, initial_delay_ms=2_000),
    terminal_behavior=redrive.TerminalBehavior(mode=redrive.Mode.DEAD_LETTER),
)
FLOW = redrive.Flow(
    [
        redrive.Node("fetch"),
        redrive.Node("publish", after=["fetch"], retry=TRY),
        redrive.Node("archive <b>&", after=["fetch"]),
        redrive.Node("sign", after=["publish"], approval=redrive.Approval("really?")),
    ]
)


@dataclass
class Incident:
    """The log, its clock, the run, and whether the bank is down."""

    engine: redrive.Engine
    now: list[int]
    path: Path
    run: redrive.RunId = redrive.RunId("")
    down: bool = True
    letter: redrive.DeadLetterId = redrive.DeadLetterId("")
    took: "itertools.cycle[int]" = field(default_factory=lambda: itertools.cycle((1_200, 518, 906)))

    @property
    def acme(self) -> redrive.TenantEngine:
        """The default tenant."""
        return self.engine.local

    def last(self) -> int:
        """The last position."""
        return self.engine.ledger.last_position()

    def position(self, topic: str, n: int = 0) -> int:
        """The position of an event of the run, by its topic."""
        return [e.position for e in self.acme.whole_history(self.run) if e.topic == topic][n]

    def work(self) -> None:
        """Execute what is due, and wait for what will be."""
        while (run := self.acme.run(self.run)).status == "queued":
            self.now[0] = max(self.now[0] + 100, run.due_ms or 0)
            claim = self.acme.claim(worker="w1", start=True)
            waiting = list(claim.attempts) if claim else []
            while claim and waiting:
                self._attempt(waiting.pop(0))
                waiting += self.acme.start_attempts(claim) if self.acme.run(self.run).status == "running" else []

    def _attempt(self, attempt: redrive.Attempt) -> None:
        self.now[0] += next(self.took)
        if attempt.node != "publish":
            self.acme.complete_attempt(attempt, {"token": "hunter2"})
        elif self.down:
            self.acme.fail_attempt(attempt, redrive.Failure("provider_transient", HOSTILE, kind="server_error"))
        else:
            attempt.effect("invoice-7", operation="POST /invoices", target="bank", send=self._send)
            self.acme.complete_attempt(attempt)

    def _send(self) -> Any:
        self.now[0] += 700
        return {"id": 7}


def opened(path: Path, now: list[int] | None = None) -> Incident:
    """An empty log."""
    clock = now or [BEGIN_MS]
    engine = redrive.open(log_url(path), clock=lambda: clock[0], dice=lambda: 0.25)
    return Incident(engine, clock, path)


def failed(path: Path) -> Incident:
    """The run is blocked; its dead letter is open."""
    it = opened(path)
    it.run = it.acme.submit(FLOW, automation="report", key="monday", actor="cron")
    it.work()
    it.letter = redrive.DeadLetterId(it.acme.dead_letters().items[0].id)
    return it


def mended(path: Path) -> Incident:
    """Three hours later it was looked at, and all was done."""
    it = failed(path)
    it.now[0] += 3 * HOUR_MS
    it.acme.note_dead_letter(it.letter, "bank was down, ticket 4711", actor="ana")
    it.now[0] += 20_000
    it.down = False
    it.acme.request_retry(it.letter, actor="ana", reason="the bank is back")
    it.work()
    it.now[0] += 45_000
    it.acme.approve(it.run, "sign", actor="ben", reason="looks right")
    return it


Made = Callable[[Path], Incident]
