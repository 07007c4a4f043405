"""The past under random commands: what was answered then is answered again."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant

from redrive.ledger.limit_status import LimitStatus
from tests.engine.test_effect_machine import EffectMachine
from tests.engine.test_state_machine import EngineMachine
from tests.forensics.answers import answers


class Remembered(EngineMachine):
    """Writes down what is answered after each command, when the clock stands where the log's last event put it."""

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[int, tuple[dict[str, Any], tuple[LimitStatus, ...]]] = {}

    @invariant()
    def write_down(self) -> None:
        last = self.engine.ledger.read(self.engine.ledger.last_position() - 1)
        if last and last[-1].recorded_at_ms == self.now_ms:
            self.told[last[-1].position] = answers(self.acme), self.engine.limits()

    def teardown(self) -> None:
        size = self.engine.ledger.last_position()
        for position, (told, limits) in self.told.items():
            with self.engine.at(position) as past:
                assert answers(past.local) == told, f"at {position}"
                assert past.limits() == limits, f"at {position}"
        assert self.engine.ledger.last_position() == size, "whoever looks writes nothing"
        self.engine.close()
        self.folder.cleanup()


class RememberedEffects(Remembered, EffectMachine):
    """With effects and compensations."""


for machine in (Remembered, RememberedEffects):
    machine.TestCase.settings = settings(
        max_examples=8, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )
TestPast = Remembered.TestCase
TestPastEffects = RememberedEffects.TestCase
