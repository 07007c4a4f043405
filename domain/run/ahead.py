"""Attempts that are started ahead: they wait for a free place of the worker that started them."""

from redrive.domain.identity import NodeId
from redrive.domain.run.state import Run


def may_wait(run: Run, node: NodeId) -> bool:
    """Whether the next attempt of *node* loses nothing when its handler begins later than it was started.

    Not one whose time runs meanwhile, and not the last that the policy allows: a worker that dies interrupts what had
    not begun too, and nobody's last attempt shall end so.
    """
    spec, state = run.flow.nodes[node], run.nodes[node]
    timed = spec.timeout_ms is not None or spec.retry.max_elapsed_ms is not None
    return not timed and state.next_number < spec.retry.max_attempts
