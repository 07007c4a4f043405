"""The outside world as tests need it: it counts what is done to it, and fails as it is told."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from redrive import Attempt, DeadLetterId, EffectCall, EffectId, EffectStanding, Failure, NotSent, Rejected, RunId
from redrive.domain.compensation import events as c
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.effect.state import Effect
from redrive.domain.ports import Caller
from tests.processes.workshop import ACME, Shop, beside, policy

PAY: dict[str, Any] = {"operation": "POST /payments", "request": {"amount": 5}}
DECLINED = Failure("outbox_send", "declined")
OPERATION = PAY["operation"]
TWICE = policy(2, mode="dead_letter", delay_ms=1)


class World:
    """What happened outside, by idempotency key."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.asked: list[EffectCall] = []

    def pay(self, call: EffectCall) -> dict[str, Any]:
        """Do it."""
        self.done[call.idempotency_key] += 1
        return {"charge": self.done.total()}

    def pay_and_break(self, call: EffectCall) -> Any:
        """Do it, and lose the answer."""
        self.pay(call)
        raise TimeoutError("no answer")

    def break_down(self, _call: EffectCall) -> Any:
        """Lose the answer of something that was not done."""
        raise ConnectionResetError("gone")

    def reject(self, _call: EffectCall) -> Any:
        """Refuse it."""
        raise Rejected("card declined", {"code": 402})

    def unsent(self, _call: EffectCall) -> Any:
        """Never send it."""
        raise NotSent("no route")


class Till(Shop):
    """A shop that does things to the world."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.world = World()
        super().__init__(path, **options)

    def paying(self, attempts: int = 1, **more: Any) -> Attempt:
        """The attempt of a new run with one node."""
        return self.attempt(beside("a", retry=policy(attempts, mode="dead_letter", delay_ms=1, **more)))

    def again(self) -> Attempt:
        """The next attempt, once its backoff has ended."""
        self.now += 10_000
        return self.claim().attempts[0]

    def pay(
        self, attempt: Attempt, key: str = "k", send: Callable[[EffectCall], Any] | None = None, **more: Any
    ) -> Any:
        """Pay once."""
        return attempt.effect(key, send=send or self.world.pay, **{**PAY, **more})

    def fail_in(self, attempt: Attempt, send: Callable[[EffectCall], Any], key: str = "k", **more: Any) -> None:
        """Pay with *send*, which fails, and report what a worker would."""
        try:
            self.pay(attempt, key, send, **more)
        except Exception as error:  # noqa: BLE001
            self.report(attempt, error)

    def report(self, attempt: Attempt, error: BaseException) -> None:
        """What a worker reports when a handler raises."""
        services = self.engine.services
        self.acme.fail_attempt(attempt, services.failure_told(error))

    def begun(self, attempt: Attempt | None, key: str = "k", **more: Any) -> EffectStanding:
        """An intent that waits for its outcome."""
        return self.acme.begin_effect(attempt, key, **{**PAY, **more})

    def effect(self, id_: EffectId) -> Effect:
        """An effect, by the log."""
        return self.engine.ledger.transact(Caller(ACME), lambda tx: tx.effect(id_))

    def dl(self, id_: str) -> DeadLetter:
        """A dead letter, by the log."""
        return self.engine.ledger.transact(Caller(ACME), lambda tx: tx.dead_letter(DeadLetterId(id_)))

    def effects(self) -> list[Effect]:
        """Every effect, in the order of their first events."""
        ids = dict.fromkeys(event.stream for event in self.log() if event.topic.startswith("effect."))
        return [self.effect(EffectId(id_)) for id_ in ids]

    def letters(self, run: RunId | None = None) -> list[tuple[str, str]]:
        """Source and status of each dead letter, the oldest first."""
        found = self.acme.dead_letters(run=run).items if run else self.acme.dead_letters().items
        return [(dl.source, dl.status) for dl in reversed(found)]

    def the_letter(self) -> DeadLetterId:
        """The id of the only dead letter."""
        (found,) = self.acme.dead_letters().items
        return DeadLetterId(found.id)

    def proposed(self) -> str:
        """The id of the only compensation."""
        (found,) = self.facts(c.CompensationProposed)
        return found.compensation


@contextmanager
def refusing(kind: type[Exception], saying: str = "") -> Iterator[None]:
    """The block raises exactly this."""
    with pytest.raises(kind) as found:
        yield
    assert type(found.value) is kind
    assert saying in str(found.value)


def lost(till: Till, attempts: int = 3, **more: Any) -> EffectStanding:
    """An effect whose attempt was interrupted before anybody knew the outcome; the next may begin."""
    attempt = till.paying(attempts)
    standing = till.begun(attempt, **more)
    till.now += 2_000_000
    till.engine.tick()
    return standing
