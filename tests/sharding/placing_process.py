"""A process that submits a run for each tenant: ``python -m tests.sharding.placing_process FIRST NUMBER URL…``.

It writes a line for each run that was acknowledged, and works until nothing is left when NUMBER is ``work``.
"""

import sys

import redrive
from tests.sharding.shards import TENANTS, submit


def main() -> None:
    """Submit, beginning with the tenant *first*; or work."""
    first, number, *urls = sys.argv[1:]
    with redrive.open(urls) as engine:
        if number == "work":
            redrive.Worker(engine, {"a": lambda _: None}, poll_ms=50, tick_ms=50).run_until_idle()
            return
        for tenant in TENANTS[int(first) :] + TENANTS[: int(first)]:
            try:
                sys.stdout.write(f"{submit(engine, tenant, number)} {tenant}\n")
            except redrive.WrongShard as refused:
                sys.stdout.write(f"refused {refused.tenant}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
