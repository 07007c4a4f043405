"""What was acknowledged, and whether the log holds it: exactly once, not a second time, and not less."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from redrive.domain.effect import events as f
from redrive.domain.event import Recorded
from redrive.domain.identity import NONCE
from redrive.domain.run import events as e

MARK = "told "
Key = tuple[Any, ...]


class Acknowledged:
    """The promises of all processes: *promised* are facts that a command's answer implies."""

    def __init__(self) -> None:
        self.promised: dict[Key, str] = {}
        self.marks: dict[str, bool] = {}

    def mark(self) -> str:
        """A reason that no other command gives: it finds the command's events in the log."""
        mark = f"{MARK}{len(self.marks)}"
        self.marks[mark] = False
        return mark

    def kept(self, mark: str) -> None:
        """The command with this mark was acknowledged, and must have written something."""
        self.marks[mark] = True

    def promise(self, keys: Iterable[Key], told: str) -> None:
        """A command was acknowledged with *told*; each of *keys* stands for an event that must be there."""
        for key in keys:
            self.promised.setdefault(key, told)

    def broken(self, events: Sequence[Recorded], told: Sequence[tuple[int, str]]) -> list[str]:
        """The promises that the log does not keep. *told* are positions and ids that listeners heard of."""
        found = Counter(key for event in events if (key := key_of(event)) is not None)
        said = [f"acknowledged ({told}), and {found[key]} times in the log: {key}"
                for key, told in self.promised.items() if found[key] != 1]  # fmt: skip
        said += [f"{count} times in the log: {key}" for key, count in found.items() if count > 1]
        said += self._marks_broken(events)
        ids = {event.position: event.event_id for event in events}
        said += [f"a listener was told event {id_}, and position {position} has {ids.get(position)}"
                 for position, id_ in told if ids.get(position) != id_]  # fmt: skip
        return said

    def _marks_broken(self, events: Iterable[Recorded]) -> Iterable[str]:
        commits: dict[str, set[str]] = defaultdict(set)
        for event in events:
            mark = event.event.text if isinstance(event.event, e.NoteAdded) else event.reason
            if mark is not None and mark.startswith(MARK):
                commits[mark].add(event.event_id[:NONCE])
        for mark, kept in self.marks.items():
            times = len(commits[mark])
            if times > 1 or (kept and times != 1):
                was = "acknowledged" if kept else "not acknowledged"
                yield f"a command that was {was} took place {times} times: {mark!r}"


def key_of(recorded: Recorded) -> Key | None:
    """What an event is known by to whoever was told of it; None for events that nobody is told of."""
    stream = str(recorded.stream)
    match recorded.event:
        case e.RunSubmitted():
            return ("submitted", stream)
        case e.RunClaimed(epoch=epoch):
            return ("claimed", stream, epoch)
        case e.AttemptStarted(node=node, lifetime=lifetime):
            return ("started", stream, node, lifetime)
        case e.AttemptSucceeded(node=node, lifetime=lifetime) | e.AttemptFailed(node=node, lifetime=lifetime):
            return ("ended", stream, node, lifetime)
        case e.AttemptSnoozed(node=node, lifetime=lifetime):
            return ("ended", stream, node, lifetime)
        case f.EffectIntended(try_number=number):
            return ("intended", stream, number)
        case f.EffectSucceeded(try_number=number):
            return ("done", stream, number)
        case _:
            return None
