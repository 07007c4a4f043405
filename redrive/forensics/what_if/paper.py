"""What a course of a run is written down on: its events, what was chosen where nothing is known, and the paper."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redrive.domain.event import Event, Recorded
from redrive.domain.ports import Caller, Subject
from redrive.forensics.decided_again.on_paper import OnPaper, S
from redrive.forensics.decided_again.streams import Stream
from redrive.forensics.what_if.script import Asked, Key

if TYPE_CHECKING:
    from redrive.forensics.what_if.course import Play

FAILS, SUCCEEDS, SUCCEEDS_AT_LAST, FAILS_AT_ONCE = range(4)
"""What becomes of a node in a generation, from the first attempt on whose outcome is unknown: every attempt fails; this
one succeeds; the last that its policy allows does; or, where nothing tells how the node fails, it fails for good at
once. Anything between is between these."""
Choose = Callable[[int], int]


@dataclass(slots=True)
class Started:
    """An attempt of a counterfactual course: *known* when its outcome was recorded."""

    key: Key
    nth: int
    known: bool
    at_ms: int
    again: bool


@dataclass(slots=True)
class Course:
    """What a run would have come to: the events since the histories part. *choices* are what was chosen of how many,
    wherever something is unknown; the first *shared* events come before any (None: there was none). *unused* is what
    operators asked for and found nothing to act on. *given_up*: it is longer, and was not played to its end."""

    events: list[Recorded] = field(default_factory=list)
    started: list[Started] = field(default_factory=list)
    choices: list[tuple[int, int]] = field(default_factory=list)
    unused: list[Asked] = field(default_factory=list)
    status: str = ""
    finished_ms: int | None = None
    given_up: bool = False
    shared: int | None = None


class Paper(OnPaper):
    """A transaction on paper that writes down what is appended."""

    def __init__(self, play: "Play", caller: Caller, now_ms: int, draw: float = 0.5) -> None:
        super().__init__(caller, now_ms, play.engine)
        self._play, self._draw = play, draw

    def stream_of(self, id_: str) -> Stream | None:
        """A stream as of now."""
        return self._play.streams.get(id_)

    def draw(self) -> float:
        """The die as it was recorded; the middle where it never fell."""
        return self._draw

    def _append(self, id_: str, subject: Subject, kind: type[S], events: Sequence[Event]) -> S:
        for event in events:
            self._play.write(id_, subject, kind, event, self.caller, self.now_ms)
        stream = self._play.streams[id_]
        assert isinstance(stream.state, kind)
        return stream.state
