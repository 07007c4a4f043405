"""The figures of many simulations, and what each that failed leaves behind to be repeated."""

import shlex
from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, Field

from redrive.faults.kinds import IN_FILES, ON_SERVERS, Kind
from redrive.faults.simulator import Simulated
from redrive.ledger.urls import hidden
from redrive.projections.models import Model

LOST = "acknowledged_exactly_once"


class FailedSeed(Model):
    """A simulation in which something did not hold. *command* repeats it; *trace* are its last steps."""

    seed: int
    problems: tuple[str, ...]
    faults: dict[str, int]
    trace: tuple[str, ...]
    command: str


class Summary(BaseModel):
    """What a number of simulations did. *losses* counts promises that the log does not keep, *given* splits into
    acknowledged, refused and failed: nobody could tell whether it took place."""

    first_seed: int
    runs: int = 0
    steps: int
    writers: int = 0
    events: int = 0
    given: int = 0
    acknowledged: int = 0
    refused: int = 0
    failed: int = 0
    losses: int = 0
    faults: dict[str, int] = Field(default_factory=dict)
    failed_seeds: list[FailedSeed] = Field(default_factory=list)

    def add(self, done: Simulated, kinds: Sequence[Kind] = IN_FILES, server: str | None = None) -> None:
        """Count one more."""
        self.runs += 1
        self.writers = max(self.writers, done.writers)
        self.events += done.events
        for outcome in ("given", "acknowledged", "refused", "failed"):
            setattr(self, outcome, getattr(self, outcome) + done.commands[outcome])
        faults = Counter(self.faults)
        faults.update({kind.value: count for kind, count in done.injected.items()})
        self.faults = dict(sorted(faults.items()))
        if done.problems:
            self.losses += sum(problem.startswith(LOST) for problem in done.problems)
            injected = {kind.value: count for kind, count in sorted(done.injected.items())}
            self.failed_seeds.append(
                FailedSeed(
                    seed=done.seed,
                    problems=done.problems,
                    faults=injected,
                    trace=done.trace,
                    command=command_of(done.seed, done.steps, kinds, server),
                )
            )


def command_of(seed: int, steps: int, kinds: Sequence[Kind] = IN_FILES, server: str | None = None) -> str:
    """The command line that repeats one simulation."""
    known = IN_FILES if server is None else ON_SERVERS
    chosen = "" if set(kinds) == set(known) else f" --faults {','.join(kinds) or 'none'}"
    place = "" if server is None else f" --server {shlex.quote(str(hidden(server)))}"
    return f"redrive simulate --seed {seed} --steps {steps}{chosen}{place}"
