"""A worker that pays twice, in a process of its own that kills itself at a step: ``python -m tests.engine.sender FOLDER
STEP RECONCILES``. The world is a file with a line for each payment, by idempotency key."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import redrive
from redrive import Attempt, DidNotHappen, EffectCall, Happened, RetryPolicy
from tests.stores import log_url

FLOW = redrive.Flow([redrive.Node("a", retry=RetryPolicy(max_attempts=10))])


class Sender:
    """Counts its steps, and is killed with -9 at one of them."""

    def __init__(self, folder: Path, last: int) -> None:
        self.paid, self.last, self.steps = folder / "paid.txt", last, 0

    def step(self) -> None:
        """One step further."""
        self.steps += 1
        if self.steps == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def gate(self, _call: EffectCall) -> None:
        """Before the intent."""
        self.step()

    def pay(self, call: EffectCall) -> dict[str, int]:
        """Between intent and call, and between call and outcome."""
        self.step()
        with self.paid.open("a") as paid:
            paid.write(call.idempotency_key + "\n")
        self.step()
        return {"charge": 1}

    def look(self, call: EffectCall) -> Any:
        """The reconciler: is it in the file?"""
        paid = self.paid.read_text().split() if self.paid.exists() else []
        return Happened({"charge": 1}) if call.idempotency_key in paid else DidNotHappen("not in the file")

    def handler(self, attempt: Attempt) -> None:
        """Two payments, the second after the first; and between outcome and report."""
        for key in ("x", "y"):
            attempt.effect(key, operation="pay", send=self.pay)
            self.step()


def main(folder: str, last: str, reconciles: str) -> None:
    """Take over what a dead process held, and work until nothing is left."""
    sender = Sender(Path(folder), int(last))
    reconcilers = {"pay": sender.look} if reconciles == "yes" else {}
    url = log_url(Path(folder) / "log.db")
    with redrive.open(url, gate=sender.gate, reconcilers=reconcilers) as engine:
        engine.local.submit(FLOW, automation="n", key="k")
        redrive.Worker(engine, {"a": sender.handler}, poll_ms=20, tick_ms=20).run_until_idle()


if __name__ == "__main__":
    main(*sys.argv[1:])
