"""What is decided about dead letters: retry, ignore, abandon, resolve, compensate, grant, reopen, note."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.decide import Decision, decide
from redrive.cli.letter_filters import letter_filters
from redrive.cli.options import Command, acted, reasoned


def _of_many(decides: Callable[..., int]) -> click.Command:
    """A command about the dead letters that are named, or all that the filters leave."""
    named = click.argument("ids", nargs=-1, metavar="[ID]…")
    all_ = click.option("--all", "all_", is_flag=True, help="All that the filters leave: look with `list` first.")
    return click.command(cls=Command)(named(all_(letter_filters(reasoned(pass_session(decides))))))


@_of_many
def retry(session: Session, /, ids: Sequence[str], all_: bool, actor: str, reason: str, **filters: Any) -> int:
    """Do the work of dead letters again.

    Those named, or --all that the filters leave (open ones, unless --status says otherwise). Their runs are queued
    again, from the failed nodes on; what succeeded before is kept.
    """
    return decide(session, Decision("retry", "request_retry", "open"), ids, all_, filters, actor=actor, reason=reason)


@_of_many
def ignore(session: Session, /, ids: Sequence[str], all_: bool, actor: str, reason: str, **filters: Any) -> int:
    """Decide that dead letters do not matter. `reopen` takes it back."""
    return decide(session, Decision("ignore", "ignore", "open"), ids, all_, filters, actor=actor, reason=reason)


@_of_many
def abandon(session: Session, /, ids: Sequence[str], all_: bool, actor: str, reason: str, **filters: Any) -> int:
    """Give the work of dead letters up. `reopen` takes it back."""
    return decide(session, Decision("abandon", "abandon", "open"), ids, all_, filters, actor=actor, reason=reason)


@_of_many
def resolve(session: Session, /, ids: Sequence[str], all_: bool, actor: str, reason: str, **filters: Any) -> int:
    """Say that the work of dead letters was done otherwise. `reopen` takes it back."""
    return decide(session, Decision("resolve", "resolve", "open"), ids, all_, filters, actor=actor, reason=reason)


@_of_many
def compensate(session: Session, /, ids: Sequence[str], all_: bool, actor: str, reason: str, **filters: Any) -> int:
    """Make good for effects instead of doing them.

    Each dead letter is settled by the compensation that its effect described. One that needs approval waits for
    `compensations approve`; the others are run by the next worker of a program that has a compensator for
    their operation.
    """
    decision = Decision("compensate", "compensate", "open")
    return decide(session, decision, ids, all_, filters, actor=actor, reason=reason)


@_of_many
def reopen(session: Session, /, ids: Sequence[str], all_: bool, actor: str, reason: str, **filters: Any) -> int:
    """Put settled dead letters back.

    Those named, or --all that the filters leave (ignored ones, unless --status says otherwise).
    """
    return decide(session, Decision("reopen", "reopen", "ignored"), ids, all_, filters, actor=actor, reason=reason)


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
