"""Progress of a run: a live bar on a terminal, one plain line per fact when piped."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from redrive.cli.output import printable
from redrive.domain.event import Recorded
from redrive.history import HistoryEntry, entry_of

Say = Callable[[str], None]


def line_of(entry: HistoryEntry) -> str | None:
    """What an event means to somebody who watches, on one line; None when it is no news."""
    data: dict[str, Any] = entry.data
    node = printable(entry.node or "")
    match entry.topic:
        case "run.attempt-succeeded":
            return f"{node} succeeded" + (f" (attempt {data['number']})" if data["lifetime"] > 1 else "")
        case "run.attempt-failed":
            failure = data["decision"]["failure"]
            return f"{node} failed, attempt {data['number']} of {data['decision']['max_attempts']}: " + printable(
                f"{failure['failure_class']}: {failure['reason'].splitlines()[0] if failure['reason'] else ''}", 200
            )
        case "run.retry-backoff-scheduled":
            return f"{node} tries again in {data['backoff_ms'] / 1000:g} s"
        case "run.attempt-interrupted":
            return f"{node} was interrupted, attempt {data['number']}"
        case "run.claim-abandoned":
            return f"took the run over from {printable(data['worker'])} ({data['why'].replace('_', ' ')})"
        case "run.requeued":
            return f"requeued as generation {data['generation']}: {data['reset_count']} node(s) start afresh"
        case "dead-letter.opened" | "dead-letter.recurred" | "dead-letter.resolved" | "dead-letter.retry-exhausted":
            return f"dead letter {entry.stream[:8]} {entry.topic.removeprefix('dead-letter.').replace('-', ' ')}"
        case "run.paused" | "run.cancelled" | "run.blocked" | "run.failed" | "run.completed":
            return f"run {entry.topic.removeprefix('run.')}"
    return None


class Lines:
    """Plain lines with the UTC time, for pipes and files."""

    def __init__(self, run_id: str, say: Say) -> None:
        self._run_id, self._say = run_id, say

    def __call__(self, recorded: Recorded) -> None:
        if recorded.correlation == self._run_id and (line := line_of(entry_of(recorded))) is not None:
            at = datetime.fromtimestamp(recorded.occurred_at_ms / 1000, UTC)
            self._say(f"{at:%H:%M:%S} {line}")

    def __enter__(self) -> "Lines":
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

    def __call__(self, recorded: Recorded) -> None:
        if recorded.correlation != self._run_id:
            return
        entry = entry_of(recorded)
        topic, node = entry.topic, entry.node or ""
        if topic == "run.attempt-started":
            self._running.add(node)
        elif topic in ("run.attempt-succeeded", "run.attempt-failed", "run.attempt-snoozed", "run.attempt-interrupted"):
            self._running.discard(node)
        self._retries += topic == "run.retry-backoff-scheduled"
        self._dead += (topic == "dead-letter.opened") - (topic == "dead-letter.resolved")
        self._bar.update(
            self._task,
            advance=topic == "run.attempt-succeeded",
            running=len(self._running),
            retries=self._retries,
            dead=self._dead,
        )
        if topic not in ("run.attempt-succeeded", "run.retry-backoff-scheduled") and (line := line_of(entry)):
            self._bar.console.print(line, markup=False, highlight=False)

    def __enter__(self) -> "Bar":
        self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()
