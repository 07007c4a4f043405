"""A log with one run in every state that matters, to be copied for each test."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

import redrive
from redrive.cli.root import cli

HOSTILE = "[bold]boom[/bold] \x1b[31mred\x00\nsecond line at 12:30"
THEIRS = redrive.Tenant("acme", "billing", "prod")
HOUR_MS = 3_600_000

ONCE = redrive.RetryPolicy(max_attempts=1, terminal_behavior=redrive.TerminalBehavior(mode=redrive.Mode.DEAD_LETTER))
TWICE = redrive.RetryPolicy(
    max_attempts=2,
    backoff=redrive.Backoff(strategy=redrive.Strategy.FIXED, initial_delay_ms=2 * HOUR_MS),
)
CHAIN = redrive.Flow([redrive.Node("fetch", retry=ONCE), redrive.Node("publish", after=["fetch"], retry=ONCE)])
PAIR = redrive.Flow([redrive.Node("left", retry=ONCE), redrive.Node("right", retry=ONCE)])
PATIENT = redrive.Flow([redrive.Node("fetch", retry=TWICE)])


@dataclass(frozen=True)
class Ids:
    """Who is who in the log."""

    completed: str
    blocked: str
    letter: str
    pair: str
    left: str
    right: str
    backoff: str
    paused: str
    lost: str
    queued: str
    theirs: str
    their_letter: str


@dataclass(frozen=True)
class World:
    """A log of one test's own, and the command line on it."""

    url: str
    ids: Ids

    def run(self, *args: str, tenant: str | None = None) -> Result:
        """Run a command in this process."""
        told = ["--tenant", tenant] if tenant else []
        return CliRunner().invoke(cli, ["--db", self.url, *told, *args])

    def json(self, *args: str) -> Any:
        """What a command prints as JSON; it must succeed."""
        result = self.run("--json", *args)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def events(self) -> int:
        """How many events the log holds."""
        with redrive.open(self.url) as engine:
            return engine.ledger.last_position()


def build(path: Path) -> Ids:
    """Write the log. Its clock is an hour behind, so that the lease of the lost run has expired."""
    now = [int(time.time() * 1_000) - HOUR_MS]
    with redrive.open(f"sqlite:///{path}", clock=lambda: now[0], dice=lambda: 0.0) as engine:
        acme = engine.local
        completed = _finished(acme, "completed", fails=False)
        blocked = _finished(acme, "blocked", fails=True)
        pair = acme.submit(PAIR, automation="pair", key="1")
        for attempt in _attempts(acme):
            acme.fail_attempt(attempt, redrive.Failure("execution_error", "both"))
        backoff = acme.submit(PATIENT, automation="patient", key="1")
        acme.fail_attempt(_attempts(acme)[0], redrive.Failure("provider_transient", "later", kind="timeout"))
        paused = acme.submit(CHAIN, automation="nightly", key="paused")
        acme.pause(paused, actor="ana", reason="deploy")
        lost = acme.submit(CHAIN, automation="nightly", key="lost")
        assert acme.claim(worker="lost", lease_ms=5_000, start=True)
        theirs = _finished(engine.for_tenant(THEIRS), "blocked", fails=True)
        queued = acme.submit(CHAIN, automation="nightly", key="queued", input={"password": "hunter2", "n": 1})
        letters = {(letter.run_id, letter.node): letter.id for letter in acme.dead_letters().items}
        their_letter = engine.for_tenant(THEIRS).dead_letters().items[0].id
    return Ids(
        completed=completed,
        blocked=blocked,
        letter=letters[blocked, "fetch"],
        pair=pair,
        left=letters[pair, "left"],
        right=letters[pair, "right"],
        backoff=backoff,
        paused=paused,
        lost=lost,
        queued=queued,
        theirs=theirs,
        their_letter=their_letter,
    )


def _finished(acme: redrive.TenantEngine, key: str, *, fails: bool) -> redrive.RunId:
    run = acme.submit(CHAIN, automation="nightly", key=key)
    claim = acme.claim(worker="w1", start=True)
    assert claim is not None
    if fails:
        acme.fail_attempt(claim.attempts[0], redrive.Failure("execution_error", HOSTILE))
    else:
        acme.complete_attempt(claim.attempts[0], {"token": "hunter2", "rows": 3})
        acme.complete_attempt(acme.start_attempt(claim, "publish"))
    return run


def _attempts(acme: redrive.TenantEngine) -> tuple[redrive.Attempt, ...]:
    claim = acme.claim(worker="w1", start=True)
    assert claim is not None
    return claim.attempts
