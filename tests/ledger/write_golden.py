"""Writes a golden log: what this version writes, so that every later one proves that it still opens it.

``python -m tests.ledger.write_golden NAME`` writes tests/history/logs/NAME.db; do it before events or tables change.
What is there is never touched.
"""

import sys
from pathlib import Path

import redrive
from redrive import Approval, Compensation, Failure, Flow, Node, RetryPolicy, TerminalBehavior, Wait
from tests.ledger.golden_story import Clock, Story, gate

LOGS = Path(__file__).parents[1] / "history" / "logs"
POLICY = RetryPolicy(max_attempts=2, terminal_behavior=TerminalBehavior(mode="dead_letter"))
FLOW = Flow([Node("fetch", retry=POLICY, input={"n": 1}), Node("check", after=["fetch"]), Node("mail", retry=POLICY)])
TENANT = redrive.Tenant("acme", "billing", "prod")


def write(path: Path) -> None:
    """A few runs in every stage: completed, backing off, dead-lettered, redriven, paused, cancelled, claimed."""
    clock = Clock()
    with redrive.open(f"sqlite:///{path}", clock=clock, dice=lambda: 0.5, gate=gate) as engine:
        acme = engine.for_tenant(TENANT)
        for key in ("completed", "failing", "redriven", "paused", "cancelled", "claimed"):
            acme.submit(FLOW, automation="nightly", key=key, input={"key": key})
        for _ in range(6):
            _work(acme)
        acme.pause(_run(acme, "paused"), actor="ana", reason="maintenance")
        acme.cancel(_run(acme, "cancelled"), actor="ana", reason="not needed")
        acme.note(_run(acme, "completed"), "seen", actor="ana")
        letter = acme.dead_letters(run=_run(acme, "redriven")).items[0]
        acme.request_retry(letter.id, actor="ana", reason="rotated the key")
        engine.sweep()
        _second_floor(engine, acme)
        Story(engine, clock).tell()
        engine.ledger.recorder.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _second_floor(engine: redrive.Engine, acme: redrive.TenantEngine) -> None:
    """A limit, approvals given and denied, a wait, effects in every standing, a compensation that ran."""
    engine.set_limit(redrive.Limit("provider", "bank", 2), actor="ana", reason="the bank asked for it")
    asked = Flow([Node("ask", approval=Approval("Pay?")), Node("rest", wait=Wait(delay_ms=60_000))])
    for key, decide in (("given", acme.approve), ("denied", acme.deny)):
        run = acme.submit(asked, automation="asked", key=key)
        decide(run, "ask", actor="ana", reason="looked at it")
    undo = Compensation("refund", "bank", {"amount": 5}, requires_approval=False)
    for name in ("done", "failed", "lost", "made-good"):
        standing = acme.begin_effect(None, name, operation="pay", request={"amount": 5}, compensation=undo)
        if name == "done":
            acme.effect_succeeded(standing, {"receipt": 1})
        elif name == "failed":
            acme.effect_failed(standing, Failure("outbox_send", "declined"))
        else:
            acme.effect_unknown(standing, "the connection was lost")
        if name == "made-good":
            letter = acme.dead_letters(effect=standing.id).items[0]
            acme.compensate(letter.id, actor="ana", reason="refund it")
            handed = acme.claim_compensation(worker="w1", operations={"refund"})
            assert handed is not None
            acme.complete_compensation(handed, {"refunded": 5})


def _run(acme: redrive.TenantEngine, key: str) -> redrive.RunId:
    return acme.submit(FLOW, automation="nightly", key=key, input={"key": key})


def _work(acme: redrive.TenantEngine) -> None:
    """One claim: the run's key says how it goes."""
    claim = acme.claim(worker="w1", start=True)
    attempts = list(claim.attempts) if claim else []
    while claim and attempts:
        running = [_report(acme, attempt) for attempt in attempts][-1]
        attempts = acme.start_attempts(claim) if running == redrive.Status.RUNNING else []


def _report(acme: redrive.TenantEngine, attempt: redrive.Attempt) -> str | None:
    key = attempt.run_input["key"]
    if key == "claimed":
        return None
    if key in ("failing", "redriven") and attempt.node == "mail":
        acme.fail_attempt(attempt, Failure("provider_auth", "401 from mail.example", final=True))
    elif key in ("paused", "cancelled"):
        acme.fail_attempt(attempt, Failure("provider_transient", "timeout after 90 s"))
    else:
        return acme.complete_attempt(attempt, {"ok": attempt.node}).status
    return acme.run(attempt.run_id).status


def main() -> None:
    """Write the log of that name."""
    path = LOGS / f"{sys.argv[1]}.db"
    if path.exists():
        raise SystemExit(f"{path} exists; a golden log is never written again")
    write(path)
    for other in LOGS.glob(f"{path.name}[-.]*"):
        other.unlink()


if __name__ == "__main__":
    main()
