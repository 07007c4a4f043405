"""What is decided about dead letters: retry, ignore, abandon, resolve, compensate, grant, reopen, note."""

from collections.abc import Sequence
from typing import Any

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.decide import Decision, decide
from redrive.cli.letter_filters import letter_filters
from redrive.cli.options import Command, acted, reasoned


def _of_many(decision: Decision, told: str) -> click.Command:
    """A command about the dead letters that are named, or all that the filters leave; *told* is its help."""

    def decides(session: Session, /, ids: Sequence[str], all_: bool, actor: str, reason: str, **filters: Any) -> int:
        return decide(session, decision, ids, all_, filters, actor=actor, reason=reason)

    named = click.argument("ids", nargs=-1, metavar="[ID]…")
    all_ = click.option("--all", "all_", is_flag=True, help="All that the filters leave: look with `list` first.")
    command = click.command(decision.verb, cls=Command, help=told)
    return command(named(all_(letter_filters(reasoned(pass_session(decides))))))


retry = _of_many(
    Decision("retry", "request_retry", "open"),
    """Do the work of dead letters again.

    Those named, or --all that the filters leave (open ones, unless --status says otherwise). Their runs are queued
    again, from the failed nodes on; what succeeded before is kept.
    """,
)
ignore = _of_many(
    Decision("ignore", "ignore", "open"), "Decide that dead letters do not matter. `reopen` takes it back."
)
abandon = _of_many(Decision("abandon", "abandon", "open"), "Give the work of dead letters up. `reopen` takes it back.")
resolve = _of_many(
    Decision("resolve", "resolve", "open"),
    "Say that the work of dead letters was done otherwise. `reopen` takes it back.",
)
compensate = _of_many(
    Decision("compensate", "compensate", "open"),
    """Make good for effects instead of doing them.

    Each dead letter is settled by the compensation that its effect described. One that needs approval waits for
    `compensations approve`; the others are run by the next worker of a program that has a compensator for
    their operation.
    """,
)
reopen = _of_many(
    Decision("reopen", "reopen", "ignored"),
    """Put settled dead letters back.

    Those named, or --all that the filters leave (ignored ones, unless --status says otherwise).
    """,
)


@click.command(cls=Command)
@click.argument("id_", metavar="ID")
@click.argument("n", type=int)
@reasoned
@pass_session
def grant(session: Session, id_: str, n: int, actor: str, reason: str) -> int:
    """Allow N more dispatches of a dead letter, and retry it.

    N is from 1 to 100. This is the way on for a parked one, whose dispatches are used up.
    """
    decision = Decision("grant", "grant_retries", "parked")
    return decide(session, decision, [id_], False, {}, n=n, actor=actor, reason=reason)


@click.command(cls=Command)
@click.argument("id_", metavar="ID")
@click.argument("text")
@acted
@pass_session
def note(session: Session, id_: str, text: str, actor: str) -> int:
    """Write something down about a dead letter."""
    return decide(session, Decision("note", "note_dead_letter", "open"), [id_], False, {}, text=text, actor=actor)


DISPOSITIONS = (retry, ignore, abandon, resolve, compensate, grant, reopen, note)
