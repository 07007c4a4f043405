"""Where a chain of causes ends: with a person, a timer, or something that was said from outside."""

from typing import Literal

from pydantic import computed_field

from redrive.domain.event import Recorded
from redrive.domain.run.events import RunClaimed, RunQueued
from redrive.projections.models import Model

RootKind = Literal["person", "timer", "worker", "external", "host", "unseen"]


class Root(Model):
    """What no event caused. *kind*: a person, a timer, a worker's report or claim, something external, the host
    program, or ``unseen``: the log names an event that is not in it, or not yours to see. *who* is the actor, *reason*
    what was given, *id* the command's or timer's name in the log. *sentence* says it in words."""

    kind: RootKind
    who: str
    reason: str | None
    id: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def sentence(self) -> str:
        """In words."""
        name = self.who.partition(":")[2]
        told = {
            "person": f"{name} did this",
            "timer": f"a timer: {self.id}",
            "worker": f"worker {name} asked or reported this",
            "external": f"from outside: {name}",
            "host": f"the host program asked for this ({name})",
            "unseen": f"its cause, event {self.id}, is not in what can be seen here; {name} did it",
        }[self.kind]
        return f"{told}: {self.reason}" if self.reason else told


def root_of(at: Recorded, *, known: bool) -> Root | None:
    """The root that an event's stored cause is; None when another event caused it, and that event is *known*."""
    cause, actor = at.causation, at.actor
    kind: RootKind
    if cause is not None and cause.kind == "event" and known:
        return None
    if cause is not None and cause.kind == "event" and not claimed_together(at):
        kind = "unseen"
    elif actor.kind == "human":
        kind = "person"
    elif cause is not None and cause.kind == "timer":
        kind = "timer"
    elif actor.kind == "worker":
        kind = "worker"
    elif actor.kind == "external" or (cause is not None and cause.kind == "external"):
        kind = "external"
    else:
        kind = "host"
    return Root(kind=kind, who=f"{actor.kind}:{actor.id}", reason=at.reason, id="" if cause is None else cause.id)


def claimed_together(at: Recorded) -> bool:
    """Whether what is stored as its cause, an event of another run, was only appended by the same command: in
    older logs, a claim of many runs made the first of them the cause of the others."""
    return isinstance(at.event, (RunClaimed, RunQueued))
