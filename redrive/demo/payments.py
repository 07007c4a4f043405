"""A payment service to practise with, on this machine only: ``python -m redrive.demo.payments``.

It prints its address, and to standard error a line for each request. It charges once for each Idempotency-Key; asked
for 42, it charges and does not answer; more than 500 it declines. It ends by itself after ten minutes.
"""

import sys
import time
from collections.abc import Mapping

from redrive.demo.service import Behaviour, Call, Request, Service

MINUTES = 10
LOOK_S = 0.05


def script(request: Request) -> Behaviour:
    """What it does with a request."""
    amount = request.body.get("amount") if isinstance(request.body, Mapping) else None
    if not isinstance(amount, int):
        return Behaviour(acts=False, status=422)
    if amount > 500:
        return Behaviour(acts=False, status=402)
    return Behaviour(silent_s=30.0) if amount == 42 and request.nth == 1 else Behaviour()


def line_of(call: Call) -> str:
    """A line of the journal, for people."""
    did = "charged" if call.acted else "charged nothing"
    said = "no answer" if call.status is None else f"answered {call.status}"
    return f"{call.method} {call.path}: {did}, {said}"


def main() -> None:
    """Serve, and tell what is asked."""
    with Service(script) as service:
        print(service.url, flush=True)  # noqa: T201 - its address is what it prints
        end, told = time.monotonic() + 60 * MINUTES, 0
        while time.monotonic() < end:
            news = service.journal[told:]
            told += len(news)
            for call in news:
                print(line_of(call), file=sys.stderr, flush=True)  # noqa: T201 - and its journal
            time.sleep(LOOK_S)


if __name__ == "__main__":
    main()
