"""How attempts end of which nothing is known: chosen once for a node and its generation."""

from dataclasses import replace

from redrive.domain.failure import EXECUTION_ERROR, PROVIDER_TRANSIENT, Failure
from redrive.domain.identity import NodeId
from redrive.domain.retry_policy import RetryDecision
from redrive.domain.run.attempts import decide
from redrive.domain.run.state import Run
from redrive.forensics.what_if.paper import FAILS, FAILS_AT_ONCE, SUCCEEDS, SUCCEEDS_AT_LAST, Choose, Course
from redrive.forensics.what_if.script import Script

USUAL = (PROVIDER_TRANSIENT, EXECUTION_ERROR)


class Fates:
    """What is chosen on one *course*, by *choose*."""

    def __init__(self, script: Script, choose: Choose, course: Course) -> None:
        self._script, self._choose, self._course = script, choose, course
        self._fates: dict[tuple[NodeId, int], int] = {}

    def end(self, run: Run, node: NodeId, now_ms: int) -> Failure | None:
        """How the running attempt of *node* fails; None: it succeeds."""
        failure = self._failure(run, node, now_ms)
        last = _judged(run, node, failure, now_ms).terminal
        fate = self._fates.get((node, run.generation))
        if fate is None:
            fate = self._fates[node, run.generation] = self._chosen(node, last=last)
        if fate == SUCCEEDS or (fate == SUCCEEDS_AT_LAST and last):
            return None
        return replace(failure, final=True) if fate == FAILS_AT_ONCE else failure

    def _chosen(self, node: NodeId, *, last: bool) -> int:
        fates = [FAILS, SUCCEEDS]
        if not last:
            fates.append(SUCCEEDS_AT_LAST)
            if node not in self._script.failures:
                fates.append(FAILS_AT_ONCE)
        course = self._course
        if course.shared is None:
            course.shared = len(course.events)
        place = self._choose(len(course.choices))
        course.choices.append((place, len(fates)))
        return fates[place]

    def _failure(self, run: Run, node: NodeId, now_ms: int) -> Failure:
        """How a further attempt of *node* would fail: as it did last. One that never failed fails as the run did, or
        in another way that is tried again."""
        known = self._script.failures.get(node)
        if known is not None:
            return known
        likely = [self._script.last_failure, *(Failure(name, "unknown") for name in USUAL)]
        return next((f for f in likely if not _judged(run, node, f, now_ms).terminal), likely[0])


def _judged(run: Run, node: NodeId, failure: Failure, now_ms: int) -> RetryDecision:
    return decide(run, node, failure, now_ms=now_ms, draw=0.5)
