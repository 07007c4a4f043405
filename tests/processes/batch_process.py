"""A worker with a batch in a process of its own: ``python -m tests.processes.batch_process URL CONCURRENCY
FOLDER``. Node *a* takes the process down, *b* is quick, *h* hangs."""

import sys

import redrive
from tests.processes.other_process import exiting, hanging, quick


def main() -> None:
    """Work until nothing is left."""
    with redrive.open(sys.argv[1]) as engine:
        handlers = {"a": exiting, "b": quick, "h": hanging}
        worker = redrive.Worker(engine, handlers, concurrency=int(sys.argv[2]), batch=16, poll_ms=100, tick_ms=100)
        worker.run_until_idle()


if __name__ == "__main__":
    main()
