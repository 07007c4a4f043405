"""A shop with records of every age and standing, and all that one can ask about them."""

from pathlib import Path
from typing import Any

from redrive import ArchiveReport, Failure, RunId
from tests.engine.outworld import PAY, Till
from tests.processes.workshop import ANA, beside, policy

DAY_MS = 86_400_000


class Attic(Till):
    """An engine whose old records go to one archive."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.file = folder / "old.archive"
        super().__init__(folder / "log.db", **options)

    def completed(self, key: str = "k") -> RunId:
        """A run with an effect that succeeded, and a dead letter that was settled by a success."""
        run = self.submit(beside("a", retry=policy(1, mode="dead_letter")), key=key, input={"key": key})
        attempt = self.claim().attempts[0]
        self.pay(attempt)
        self.acme.fail_attempt(attempt, Failure("broken", "no luck", final=True))
        self.acme.recover(run, **ANA)
        self.acme.complete_attempt(self.claim().attempts[0], {"done": key})
        return run

    def unsettled(self) -> dict[str, RunId]:
        """Runs that are never archived, by why."""
        runs = {"queued": self.submit(key="queued")}
        self.acme.pause(runs["queued"], **ANA)
        runs["failed"] = self.submit(beside("a", retry=policy(1)), key="failed")
        self.fail_again()
        runs["letter"] = self.submit(beside("a", retry=policy(1)), key="letter")
        self.fail_again()
        self.acme.cancel(runs["letter"], **ANA)
        runs["unknown"] = self.submit(beside("a", retry=policy(1)), key="unknown")
        attempt = self.claim().attempts[0]
        self.acme.begin_effect(attempt, "pay", **PAY)
        self.acme.cancel(runs["unknown"], **ANA)
        return runs

    def age(self, days: int = 100) -> None:
        """Let time pass."""
        self.now += days * DAY_MS

    def archive(self, days: int = 90, **more: Any) -> ArchiveReport:
        """Archive what is older than *days*."""
        given = {"older_than_ms": days * DAY_MS, "to": str(self.file), **ANA, **more}
        return self.engine.archive(**given)

    def everything(self) -> list[str]:
        """All that queries, histories and states say, of what was there before anything was archived."""
        acme = self.acme
        runs = acme.runs().items
        said = [str(runs), str(acme.dead_letters().items), str(acme.effects().items), str(acme.compensations().items)]
        for run in runs:
            said += [str(acme.history(run.run_id)), str(acme.show(run.run_id)), str(acme.runs(text="luck").items)]
        return [*said, *(str(acme.show_effect(effect.id)) for effect in acme.effects().items)]

    def stored(self, run: RunId) -> list[bytes]:
        """The states of a run and what belongs to it, as they lie in the log."""
        query = (
            "SELECT state FROM events WHERE correlation = ? AND topic NOT LIKE 'flow.%' AND topic NOT LIKE 'policy.%'"
        )
        return [row[0] for row in self.engine.ledger.recorder.writer.execute(query, (run,)).fetchall()]
