"""redrive in a program: two runs, one of which fails, is mended and redriven. ``python examples/embedded.py``."""

import tempfile
from pathlib import Path

from pydantic import JsonValue

import redrive

POLICY = redrive.RetryPolicy(
    max_attempts=3,
    backoff=redrive.Backoff(strategy=redrive.Strategy.FIXED, initial_delay_ms=50),
    terminal_behavior=redrive.TerminalBehavior(mode=redrive.Mode.DEAD_LETTER),
)
FLOW = redrive.Flow(
    [
        redrive.Node("fetch", retry=POLICY),
        redrive.Node("charge", after=["fetch"], retry=POLICY),
        redrive.Node("report", after=["fetch"]),
    ]
)
CARDS = {"ana": "4711"}


def fetch(attempt: redrive.Attempt) -> JsonValue:
    """Fail once, as networks do."""
    if attempt.number == 1:
        raise ConnectionError("the shop does not answer")
    return attempt.run_input


async def charge(attempt: redrive.Attempt) -> JsonValue:
    """Fail for good when there is no card."""
    customer = str(attempt.outputs["fetch"])
    if customer not in CARDS:
        raise redrive.Fatal(f"no card of {customer}", failure_class="validation_error")
    return "charged"


def report(attempt: redrive.Attempt) -> JsonValue:
    """Depend on nothing that fails."""
    return f"one order of {attempt.outputs['fetch']}"


def main(log: Path) -> None:
    """Submit, work, look, mend, retry, work."""
    with redrive.open(f"sqlite:///{log}") as engine:
        shop = engine.for_tenant(redrive.Tenant("acme", "shop", "prod"))
        for customer in ("ana", "bo"):
            shop.submit(FLOW, automation="orders", key=customer, input=customer)
        worker = redrive.Worker(engine, {"fetch": fetch, "charge": charge, "report": report})
        worker.run_until_idle()

        for letter in shop.dead_letters(status="open").items:
            print(f"dead letter of {letter.node}: {letter.reason}")
            CARDS["bo"] = "0815"
            shop.request_retry(redrive.DeadLetterId(letter.id), actor="ana", reason="Bo has a card now")
        worker.run_until_idle()

        for run in shop.runs().items:
            print(f"{run.key}: {run.status}, {run.attempts} attempts, {run.retries} retries")
        assert {run.status for run in shop.runs().items} == {"completed"}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder) / "orders.db")
