"""Progress of a run: a live bar on a terminal, one plain line per fact when piped."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from redrive.cli.saying import sentence_of
from redrive.domain.event import Recorded
from redrive.history import HistoryEntry, entry_of

Say = Callable[[str], None]


QUIET = frozenset(
    [
        "flow.registered",
        "policy.registered",
        "run.submitted",
        "run.claimed",
        "run.lease-renewed",
        "run.claim-released",
        "run.attempt-started",
        "run.queued",
        "run.dead-letter-linked",
        "run.retry-backoff-scheduled",
    ]
)


SUCCESSES = ("run.attempt-succeeded", "run.approval-given", "run.wait-ended")


class Lines:
    """Plain lines with the UTC time, of one run or (None) of all, for pipes, files and workers."""

    def __init__(self, run_id: str | None, say: Say) -> None:
        self._run_id, self._say = run_id, say

    def follow(self, events: Sequence[Recorded]) -> None:
        """Say what is news among *events*."""
        for recorded in events:
            if recorded.topic not in QUIET and self._run_id in (None, recorded.correlation):
                at = datetime.fromtimestamp(recorded.occurred_at_ms / 1000, UTC)
                run = "" if self._run_id else f"{recorded.correlation[:8]} "
                self._say(f"{at:%H:%M:%S} {run}{sentence_of(entry_of(recorded))}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass


class Bar:
    """A live bar; failures and operators' news scroll above it."""

    def __init__(self, run_id: str, nodes: int, succeeded: int, console: Console) -> None:
        self._run_id = run_id
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("running {task.fields[running]}  retries {task.fields[retries]}  dead {task.fields[dead]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._bar.add_task("nodes", total=nodes, completed=succeeded, running=0, retries=0, dead=0)
        self._running: set[str] = set()
        self._retries = self._dead = 0

    def follow(self, events: Sequence[Recorded]) -> None:
        """Move the bar by *events*."""
        for recorded in events:
            if recorded.correlation == self._run_id:
                self._move(entry_of(recorded))

    def _move(self, entry: HistoryEntry) -> None:
        topic, node = entry.topic, entry.node or ""
        if topic == "run.attempt-started":
            self._running.add(node)
        elif topic in ("run.attempt-succeeded", "run.attempt-failed", "run.attempt-snoozed", "run.attempt-interrupted"):
            self._running.discard(node)
        self._retries += topic == "run.retry-backoff-scheduled"
        self._dead += (topic == "dead-letter.opened") - (topic == "dead-letter.resolved")
        self._bar.update(
            self._task,
            advance=topic in SUCCESSES,
            running=len(self._running),
            retries=self._retries,
            dead=self._dead,
        )
        if topic not in QUIET and topic != "run.attempt-succeeded":
            self._bar.console.print(sentence_of(entry), markup=False, highlight=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()
