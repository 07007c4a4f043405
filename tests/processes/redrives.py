"""Dead letters on their way through the sweep."""

from typing import Any

from redrive import DeadLetterId, Failure, RunId, SweepReport
from redrive.domain.dead_letter.judge import Act
from tests.processes.workshop import ANA, Shop, beside, policy

AGAIN = Failure("provider_transient", "still no answer")
ONCE = beside("a", retry=policy(1))


def acts(report: SweepReport) -> list[Act]:
    """What a sweep did, without its reasons."""
    return [act.act for act in report.acted]


def retrying(shop: Shop, **more: Any) -> DeadLetterId:
    """A dead letter whose first dispatch has gone out and failed again."""
    letter = shop.letter(ONCE, **more)
    shop.acme.request_retry(letter, **ANA)
    shop.fail_again(AGAIN)
    return letter


def two_letters(shop: Shop, mode: str = "dead_letter") -> tuple[RunId, DeadLetterId, DeadLetterId]:
    """A run with two dead letters."""
    claim = shop.begin(beside("a", "b", retry=policy(1, mode)))
    shop.fail(*claim.attempts)
    return claim.run_id, shop.letter_of(claim.run_id, "a"), shop.letter_of(claim.run_id, "b")


def request(shop: Shop, *letters: DeadLetterId) -> None:
    """Ask for retries in one commit, which leaves the sweep to the timer."""
    with shop.engine.batch() as batch:
        for letter in letters:
            batch.add(shop.acme.request_retry, letter, **ANA)


def exhaust(shop: Shop, dispatches: int = 5) -> DeadLetterId:
    """A dead letter that has used this many dispatches, the last of which failed; its backoff has ended."""
    letter = retrying(shop)
    for _ in range(dispatches - 1):
        shop.now += 300_000
        shop.engine.sweep()
        shop.fail_again(AGAIN)
    shop.now += 300_000
    return letter
