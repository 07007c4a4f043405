"""How one decision finds what it is about: each aggregate by its id, whoever holds the states."""

from typing import TypeVar

from redrive.domain.compensation.state import CompensationState
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.effect.state import Effect
from redrive.domain.errors import NotFound
from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, RunId
from redrive.domain.run.state import Run
from redrive.ledger.agenda_rows import State

S = TypeVar("S", bound=State)


class Finding:
    """The finders of a transaction, by what subclasses ``_find``."""

    __slots__ = ()

    def run(self, id_: RunId) -> Run:
        """The run as of now. Raises NotFound."""
        return self._get(id_, Run, "run")

    def find_run(self, id_: RunId) -> Run | None:
        """The run as of now, or None."""
        return self._find(id_, Run)

    def dead_letter(self, id_: DeadLetterId) -> DeadLetter:
        """The dead letter as of now. Raises NotFound."""
        return self._get(id_, DeadLetter, "dead letter")

    def find_dead_letter(self, id_: DeadLetterId) -> DeadLetter | None:
        """The dead letter as of now, or None."""
        return self._find(id_, DeadLetter)

    def effect(self, id_: EffectId) -> Effect:
        """The effect as of now. Raises NotFound."""
        return self._get(id_, Effect, "effect")

    def find_effect(self, id_: EffectId) -> Effect | None:
        """The effect as of now, or None."""
        return self._find(id_, Effect)

    def compensation(self, id_: CompensationId) -> CompensationState:
        """The compensation as of now. Raises NotFound."""
        return self._get(id_, CompensationState, "compensation")

    def find_compensation(self, id_: CompensationId) -> CompensationState | None:
        """The compensation as of now, or None."""
        return self._find(id_, CompensationState)

    def _find(self, id_: str, kind: type[S]) -> S | None:
        """The state of a stream, when it is of *kind*."""
        raise NotImplementedError

    def _get(self, id_: str, kind: type[S], noun: str) -> S:
        if (found := self._find(id_, kind)) is None:
            raise NotFound(noun, id_)
        return found
