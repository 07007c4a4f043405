"""The four aggregates side by side: what begins each, and what its events change."""

from collections.abc import Callable, Mapping
from typing import Any

from redrive.domain.compensation.events import CompensationProposed
from redrive.domain.compensation.state import CompensationState
from redrive.domain.compensation.state import evolve as evolve_compensation
from redrive.domain.dead_letter.events import DeadLetterHeld, DeadLetterNoted, DeadLetterOpened
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.dead_letter.state import evolve as evolve_dead_letter
from redrive.domain.effect.events import EffectIntended, EffectWithheld
from redrive.domain.effect.state import Effect
from redrive.domain.effect.state import evolve as evolve_effect
from redrive.domain.event import Event
from redrive.domain.run.evolution import evolve as evolve_run
from redrive.domain.run.state import Run

APPLIERS: Mapping[type, Mapping[type[Event], Callable[[Any, Any], None]]] = {
    Run: evolve_run.appliers,
    DeadLetter: evolve_dead_letter.appliers,
    Effect: evolve_effect.appliers,
    CompensationState: evolve_compensation.appliers,
}
"""What changes a state, by its class and that of the event: for who folds without a call of ``Evolve`` for each."""

BEGUN_BY: Mapping[type, type[DeadLetter] | type[Effect] | type[CompensationState]] = {
    DeadLetterOpened: DeadLetter,
    EffectIntended: Effect,
    EffectWithheld: Effect,
    CompensationProposed: CompensationState,
}
"""The state that an event begins; a run begins with its flow."""

QUIET = frozenset({DeadLetterNoted, DeadLetterHeld})
"""What leaves a dead letter where it stands: it is not the cause of a dispatch."""
