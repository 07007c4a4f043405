"""Writes the log of a bad night, `night.db`, for the tutorial *An incident*: ``python examples/incident.py``.

Payouts go through a bank that is down for half a minute, twice. The first time all of them ride it out. The second
time, ten minutes after somebody deployed a change, they do not. The clock is the script's own, so that the night is
the same every time.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redrive

LOG = Path("night.db")
NIGHT = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp() * 1_000)
OUTAGES = [("01:50:00", "01:50:30"), ("02:10:00", "02:10:30")]
DEPLOYED = "02:00:00"
PAYOUTS = {"01:49:40": 6, "02:09:40": 6}  # so many, ten seconds apart
LOST = "p12"  # the bank got this one, and did not answer

DEAD_LETTER = redrive.TerminalBehavior(mode=redrive.Mode.DEAD_LETTER)
PATIENT = redrive.RetryPolicy(
    max_attempts=6,
    backoff=redrive.Backoff(strategy=redrive.Strategy.EXPONENTIAL, initial_delay_ms=2_000, max_delay_ms=30_000),
    terminal_behavior=DEAD_LETTER,
)
HASTY = redrive.RetryPolicy(
    max_attempts=2,
    backoff=redrive.Backoff(strategy=redrive.Strategy.FIXED, initial_delay_ms=1_000),
    terminal_behavior=DEAD_LETTER,
)


def at(clock: str) -> int:
    """A time of that night."""
    hours, minutes, seconds = map(int, clock.split(":"))
    return NIGHT + ((hours * 60 + minutes) * 60 + seconds) * 1_000


def payout(policy: redrive.RetryPolicy) -> redrive.Flow:
    """Prepare, pay, and post to the books."""
    return redrive.Flow(
        [
            redrive.Node("prepare"),
            redrive.Node("pay", after=["prepare"], retry=policy, resource="api.bank"),
            redrive.Node("post", after=["pay"]),
        ]
    )


class Night:
    """The clock, the bank, and who works."""

    def __init__(self) -> None:
        self.now_ms = at("01:49:30")
        self.engine = redrive.open(f"sqlite:///{LOG}", clock=lambda: self.now_ms, dice=lambda: 0.5)
        self.acme = self.engine.local
        self.keys: dict[redrive.RunId, str] = {}

    def down(self) -> bool:
        """Whether the bank is down now."""
        return any(at(begin) <= self.now_ms < at(end) for begin, end in OUTAGES)

    def submit(self, key: str) -> None:
        """What cron does."""
        deployed = self.now_ms >= at(DEPLOYED)
        flow = payout(HASTY if deployed else PATIENT)
        amount = {"to": "DE02", "amount": 40 + int(key[1:])}
        run = self.acme.submit(flow, automation="payout", key=key, input=amount, actor="cron")
        self.keys[run] = key

    def work(self) -> None:
        """What the workers do in a second."""
        self.engine.tick()
        for claim in self.acme.claim_many(10, worker="w1", start=True):
            waiting = list(claim.attempts)
            while waiting:
                self.execute(waiting.pop(0))
                if self.acme.run(claim.run_id).status == "running":
                    waiting += self.acme.start_attempts(claim)

    def execute(self, attempt: redrive.Attempt) -> None:
        """One attempt."""
        self.now_ms += 40
        try:
            receipt = None
            if attempt.node == "pay":
                key = self.keys[attempt.run_id]
                receipt = attempt.effect(
                    f"payout-{key}", operation="POST /payouts", target="bank", send=lambda: self.bank(key)
                )
            self.acme.complete_attempt(attempt, receipt)
        except Exception as error:  # noqa: BLE001 - whatever the bank gave
            self.acme.fail_attempt(attempt, error)

    def bank(self, key: str) -> Any:
        """A request to the bank."""
        self.now_ms += 80
        if self.down():
            raise redrive.NotSent("HTTP 503: maintenance")
        if key == LOST:
            self.now_ms += 900
            raise TimeoutError("no answer within 900 ms")
        return {"transfer": f"T-{key}"}

    def pass_time(self, until: str) -> None:
        """Second by second."""
        due = {at(begin) + 10_000 * n for begin, count in PAYOUTS.items() for n in range(count)}
        while self.now_ms < at(until):
            second = self.now_ms // 1_000 * 1_000
            if second in due:
                self.submit(f"p{len(self.keys) + 1:02}")
            self.work()
            if second == at("02:10:14"):
                self.ben()
            self.now_ms = max(second + 1_000, self.now_ms)

    def ben(self) -> None:
        """On call, and too early: the bank is still down. The sweep goes on for him."""
        letters = self.acme.dead_letters(status="open").items
        self.acme.request_retry(letters[-1].id, actor="ben", reason="probably a blip")


def main() -> None:
    """Live through the night."""
    if LOG.exists():
        raise SystemExit(f"{LOG} is there already")
    night = Night()
    with night.engine:
        night.pass_time("01:51:40")
        night.now_ms = at("02:09:30")
        night.pass_time("02:12:00")
        counts = night.acme.counts()
        print(f"{LOG}: {night.engine.ledger.last_position()} events, {counts.runs}")


if __name__ == "__main__":
    main()
