"""What a golden log holds besides its first runs: the rest of what can happen, in the log of another tenant."""

from typing import Any

import redrive
from redrive import Approval, Attempt, Compensation, Failure, Flow, Limit, Node, RetryPolicy, TerminalBehavior, Wait
from redrive.domain.identity import CompensationId, DeadLetterId

OTHER = redrive.Tenant("umbrella", "billing", "prod")
ANA: dict[str, Any] = {"actor": "ana", "reason": "looked at it"}
ONCE = RetryPolicy(max_attempts=1, terminal_behavior=TerminalBehavior(mode="dead_letter"))
DECLINED = Failure("outbox_send", "declined")
UNDO = Compensation("refund", "bank", {"amount": 5})


class Clock:
    """Every look is a moment later; *now* may be moved."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        self.now += 7
        return self.now


class Story:
    """One tenant on an engine with that clock."""

    def __init__(self, engine: redrive.Engine, clock: Clock) -> None:
        self.engine, self.clock, self.mine = engine, clock, engine.for_tenant(OTHER)

    def tell(self) -> None:
        """All of it, and a seal over it."""
        self.attempts()
        self.approvals()
        self.dispositions()
        self.budget()
        self.held()
        self.effects()
        self.compensations()
        limit = Limit("resource", "db", 3)
        self.engine.set_limit(limit, **ANA)
        self.engine.remove_limit("resource", "db", **ANA)
        self.engine.seal()

    def run(self, *nodes: Node) -> redrive.RunId:
        """A new run."""
        return self.mine.submit(Flow(list(nodes)), automation="story")

    def attempt(self, node: str = "a") -> Attempt:
        """The one attempt of the next run."""
        claim = self.mine.claim(worker="w1", start=True)
        assert claim is not None
        return next(attempt for attempt in claim.attempts if attempt.node == node)

    def letter(self) -> DeadLetterId:
        """The dead letter of a new run whose node has failed for good."""
        run = self.run(Node("a", retry=ONCE))
        self.fail(self.attempt())
        return DeadLetterId(self.mine.dead_letters(run=run).items[0].id)

    def fail(self, attempt: Attempt, reason: str = "it broke", *, final: bool = True) -> None:
        """A failure of an attempt."""
        self.mine.fail_attempt(attempt, Failure("execution_error", reason, final=final))

    def attempts(self) -> None:
        """Renewed, snoozed, released, and taken from a worker that fell silent."""
        run = self.run(Node("a"))
        claim = self.mine.claim(worker="w1", start=True)
        assert claim is not None
        self.mine.heartbeat(claim)
        self.mine.snooze_attempt(claim.attempts[0], 5)
        self.clock.now += 1_000
        claim = self.mine.claim(worker="w1")
        assert claim is not None
        self.mine.release(claim)
        self.attempt()
        self.clock.now += 2_000_000
        self.mine.tick()
        self.mine.pause(run, **ANA)
        self.mine.resume(run, **ANA)
        self.mine.annotate(run, "slow today", **ANA)
        self.mine.annotate(f"pos:{self.engine.ledger.last_position()}", "here it was", **ANA)
        self.clock.now += 100_000
        self.mine.complete_attempt(self.attempt(), {"at": "last"})

    def approvals(self) -> None:
        """Nobody answered in time; a wait that ended."""
        self.run(Node("ask", approval=Approval("Pay?", timeout_ms=1_000)), Node("rest", wait=Wait(delay_ms=500)))
        self.run(Node("ask", approval=Approval("And this one?")))
        self.clock.now += 2_000
        self.mine.tick()

    def dispositions(self) -> None:
        """Ignored, abandoned, noted, resolved, reopened, recurred, and answered by a success after all."""
        ignored, abandoned, resolved, again = (self.letter() for _ in range(4))
        self.mine.ignore(ignored, **ANA)
        self.mine.abandon(abandoned, **ANA)
        self.mine.note_dead_letter(abandoned, "nobody needs it", actor="ana")
        self.mine.resolve(resolved, **ANA)
        self.mine.reopen(resolved, **ANA)
        self.mine.request_retry(again, **ANA)
        self.fail(self.attempt())
        for letter in (again, ignored):
            self.mine.recover(self.mine.dead_letter(letter).run_id, **ANA)
            self.mine.complete_attempt(self.attempt())

    def budget(self) -> None:
        """Spent, and renewed."""
        letter = self.letter()
        self.mine.request_retry(letter, **ANA)
        while self.mine.dead_letter(letter).status != "parked":
            self.fail(self.attempt(), final=False)
            self.clock.now += 400_000
            self.mine.sweep()
        self.mine.grant_retries(letter, 1, **ANA)
        self.mine.complete_attempt(self.attempt())

    def held(self) -> None:
        """Asked for behind a parent that has failed since."""
        run = self.run(Node("a", retry=ONCE), Node("b", after=["a"], retry=ONCE))
        claim = self.mine.claim(worker="w1", start=True)
        assert claim is not None
        self.mine.complete_attempt(claim.attempts[0])
        self.fail(self.mine.start_attempt(claim, "b"))
        letter = self.mine.dead_letters(run=run).items[0]
        self.mine.recover(run, nodes=["a"], **ANA)
        self.fail(self.attempt())
        self.mine.request_retry(DeadLetterId(letter.id), **ANA)

    def effects(self) -> None:
        """In a run: sent, lost with its worker, found out by a person, withheld."""
        self.run(Node("a", retry=ONCE))
        attempt = self.attempt()
        self.mine.begin_effect(attempt, "pay", operation="pay", request={"amount": 5})
        self.fail(attempt)
        effect = self.mine.effects(run=attempt.run_id).items[0]
        self.mine.reconcile_effect(redrive.EffectId(effect.id), "succeeded", receipt={"charge": 1}, **ANA)
        self.run(Node("a", retry=ONCE))
        self.mine.begin_effect(self.attempt(), "forbidden", operation="delete")

    def compensations(self) -> None:
        """One failed and was given up, one was answered by a success."""
        ended = []
        for name in ("undone", "done"):
            standing = self.mine.begin_effect(None, name, operation="pay", compensation=UNDO)
            self.mine.effect_failed(standing, DECLINED)
            letter = self.mine.dead_letters(effect=standing.id).items[0]
            self.mine.compensate(DeadLetterId(letter.id), **ANA)
            ended.append((standing, self.mine.compensations(effect=standing.id).items[0].id))
        (_, undone), (done, _) = ended
        self.mine.approve_compensation(CompensationId(undone), **ANA)
        handed = self.mine.claim_compensation(worker="w1", operations={"refund"})
        assert handed is not None
        self.mine.fail_compensation(handed, DECLINED)
        self.mine.cancel_compensation(CompensationId(undone), **ANA)
        self.mine.effect_succeeded(done, {"charge": 2})


def gate(call: redrive.EffectCall) -> redrive.Withhold | None:
    """Agents delete nothing."""
    return redrive.Withhold("not allowed") if call.operation == "delete" else None
