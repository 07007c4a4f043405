"""A worker that does a little of everything, as fast as it can, until somebody kills it."""

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import redrive
from benchmarks.kills.journal import Journal, kept, shop
from benchmarks.kills.judging import opened
from redrive.domain.effect.state import EffectStatus
from redrive.faults.acknowledged import MARK
from redrive.faults.flows import PAY, flows

LEASE_MS = 5_000
MOST_UNFINISHED = 40
Keys = Iterable[tuple[Any, ...]]
REFUSALS = (redrive.Refused, redrive.NotFound, redrive.Conflict, redrive.StorageError)


class Worker:
    """One process: number *number* of all that were ever started."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder, self.name = folder, f"w{number}"
        self.dice = random.Random(number)
        self.told = Journal(folder / f"told-{number}.jsonl")
        self.engine = opened(folder)
        self.tenant = self.engine.local
        self.runs: list[redrive.RunId] = []
        self.attempts: list[redrive.Attempt] = []
        self.claims: list[redrive.Claim] = []
        self._marks = 0

    def work(self) -> None:
        """Go on until the end, which comes from outside."""
        acts = (self.submit, self.claim, self.claim, self.execute, self.execute, self.execute, self.note, self.decide)
        while True:
            self.dice.choice(acts)()
            if self.dice.random() < 0.1:
                self.give("tick", self.engine.tick)

    def give(self, name: str, command: Callable[[], Any], keys: Callable[[Any], Keys] = lambda _: ()) -> Any:
        """Give a command; what it implies is noted as soon as it is acknowledged."""
        try:
            answer = command()
        except REFUSALS:
            return None
        kept(self.told, name, keys(answer))
        return answer

    def submit(self) -> None:
        """Submit a run, unless there are many."""
        number = self.dice.randrange(100_000)
        flow = flows()[number % len(flows())]
        if len(self.tenant.runs(status=["queued", "running"], limit=MOST_UNFINISHED).items) < MOST_UNFINISHED:
            run = self.give(
                "submit",
                lambda: self.tenant.submit(flow, automation="kills", key=str(number)),
                lambda id_: [("submitted", str(id_))],
            )
            self.runs += [run] if run is not None else []

    def claim(self) -> None:
        """Take a run."""
        claim = self.give("claim", lambda: self.tenant.claim(worker=self.name, lease_ms=LEASE_MS, start=True), _claimed)
        if claim is not None:
            self.claims.append(claim)
            self.attempts += claim.attempts

    def execute(self) -> None:
        """Execute an attempt."""
        if not self.attempts:
            return
        attempt = self.attempts.pop()
        if attempt.node.startswith(PAY):
            self.pay(attempt)
        key = ("ended", str(attempt.run_id), attempt.node, attempt.lifetime)
        if self.dice.random() < 0.3:
            failure = redrive.Failure("execution_error", "it broke")
            self.give("fail", lambda: self.tenant.fail_attempt(attempt, failure), lambda _: [key])
            return
        output = {"by": self.name}
        progress = self.give("complete", lambda: self.tenant.complete_attempt(attempt, output), lambda _: [key])
        claim = next((held for held in self.claims if held.run_id == attempt.run_id), None)
        if claim is not None and progress is not None and progress.status == "running":
            self.attempts += self.give("start", lambda: self.tenant.start_attempts(claim)) or ()

    def pay(self, attempt: redrive.Attempt) -> None:
        """Have something done outside; what is unknown is asked of the shop first."""

        def begin() -> redrive.EffectStanding:
            return self.tenant.begin_effect(attempt, "invoice", operation="POST /pay")

        standing = self.give("begin", begin)
        if standing is not None and standing.status is EffectStatus.UNKNOWN:
            acted = any(acts for effect, acts in shop(self.folder).lines() if effect == standing.id)
            outcome = "succeeded" if acted else "did_not_happen"
            self.marked(lambda mark: self.tenant.reconcile_effect(standing.id, outcome, actor="ana", reason=mark))
            standing = self.give("begin again", begin)
        if standing is not None and standing.status is EffectStatus.INTENDED:
            acts = self.dice.random() < 0.7
            shop(self.folder).write(standing.id, acts)
            if acts:
                key = ("done", str(standing.id), standing.try_number)
                self.give("done", lambda: self.tenant.effect_succeeded(standing, {"paid": True}), lambda _: [key])
            else:
                declined = redrive.Failure("outbox_send", "declined")
                self.give("declined", lambda: self.tenant.effect_failed(standing, declined))

    def note(self) -> None:
        """Write something down, which must be there once."""
        if self.runs:
            run = self.dice.choice(self.runs)
            self.marked(lambda mark: self.tenant.note(run, mark, actor="ana"))

    def decide(self) -> None:
        """Have a dead letter's work done again."""
        letters = self.tenant.dead_letters(status=["open"], limit=20).items
        if letters:
            letter = self.dice.choice(letters).id
            self.marked(lambda mark: self.tenant.request_retry(letter, actor="ana", reason=mark))

    def marked(self, command: Callable[[str], Any]) -> None:
        """Give a command with a reason that finds it in the log again."""
        self._marks += 1
        mark = f"{MARK}{self.name}-{self._marks}"
        self.told.write("mark", mark, False)
        if self.give(mark, lambda: command(mark)) is not None:
            self.told.write("mark", mark, True)


def _claimed(claim: redrive.Claim | None) -> Keys:
    if claim is None:
        return ()
    started = [("started", str(claim.run_id), attempt.node, attempt.lifetime) for attempt in claim.attempts]
    return [("claimed", str(claim.run_id), claim.epoch), *started]


def main(folder: Path, number: int) -> None:
    """What a forked process does."""
    Worker(folder, number).work()
