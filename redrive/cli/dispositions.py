"""What is decided about dead letters: retry, ignore, abandon, resolve, compensate, grant, reopen, note."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.decide import Decision, decide
from redrive.cli.letter_filters import letter_filters
from redrive.cli.options import Command, acted, reasoned

_Option = Callable[[Callable[..., int]], Callable[..., int]]


def _of_many(*options: _Option) -> Callable[[Callable[..., int]], click.Command]:
    """A command about the dead letters that are named, or all that the filters leave; *options* beside these."""
    named = click.argument("ids", nargs=-1, metavar="[ID]…")
    all_ = click.option("--all", "all_", is_flag=True, help="All that the filters leave: look with `list` first.")

    def command(decides: Callable[..., int]) -> click.Command:
        asks: Callable[..., int] = pass_session(decides)
        for option in options:
            asks = option(asks)
        return click.command(cls=Command)(named(all_(letter_filters(asks))))

    return command


@_of_many(reasoned)
def retry(session: Session, /, ids: Sequence[str], all_: bool, actor: str, reason: str, **filters: Any) -> int:
    """Do the work of dead letters again.

    Those named, or --all that the filters leave (open ones, unless --status says otherwise). Their runs are queued
    again, from the failed nodes on; what succeeded before is kept.
    """
    return decide(session, Decision("retry", "request_retry", "open"), ids, all_, filters, actor=actor, reason=reason)


@_of_many(reasoned)
def ignore(session: Session, /, ids: Sequence[str], all_: bool, actor: str, reason: str, **filters: Any) -> int:
    """Decide that dead letters do not matter. `reopen` takes it back."""
    return decide(session, Decision("ignore", "ignore", "open"), ids, all_, filters, actor=actor, reason=reason)


@_of_many(reasoned)
def abandon(session: Session, /, ids: Sequence[str], all_: bool, actor: str, reason: str, **filters: Any) -> int:
    """Give the work of dead letters up. `reopen` takes it back."""
    return decide(session, Decision("abandon", "abandon", "open"), ids, all_, filters, actor=actor, reason=reason)


@_of_many(reasoned)
def resolve(session: Session, /, ids: Sequence[str], all_: bool, actor: str, reason: str, **filters: Any) -> int:
    """Say that the work of dead letters was done otherwise. `reopen` takes it back."""
    return decide(session, Decision("resolve", "resolve", "open"), ids, all_, filters, actor=actor, reason=reason)


@_of_many(reasoned)
def compensate(session: Session, /, ids: Sequence[str], all_: bool, actor: str, reason: str, **filters: Any) -> int:
    """Make good for effects instead of doing them.

    Each dead letter is settled by the compensation that its effect described. One that needs approval waits for
    `compensations approve`; the others are run by the next worker of a program that has a compensator for
    their operation.
    """
    decision = Decision("compensate", "compensate", "open")
    return decide(session, decision, ids, all_, filters, actor=actor, reason=reason)


@_of_many(reasoned)
def reopen(session: Session, /, ids: Sequence[str], all_: bool, actor: str, reason: str, **filters: Any) -> int:
    """Put settled dead letters back.

    Those named, or --all that the filters leave (ignored ones, unless --status says otherwise).
    """
    return decide(session, Decision("reopen", "reopen", "ignored"), ids, all_, filters, actor=actor, reason=reason)


@_of_many(reasoned, click.argument("n", type=int))
def grant(session: Session, /, ids: Sequence[str], all_: bool, n: int, actor: str, reason: str, **filters: Any) -> int:
    """Allow N more dispatches of dead letters, and retry them.

    Those named, or --all that the filters leave (parked ones, unless --status says otherwise). N is from 1 to 100, for
    each of them. This is the way on for parked ones, whose dispatches are used up.
    """
    decision = Decision("grant", "grant_retries", "parked")
    return decide(session, decision, ids, all_, filters, n=n, actor=actor, reason=reason)


@_of_many(acted, click.argument("note_", metavar="TEXT"))
def note(session: Session, /, ids: Sequence[str], all_: bool, note_: str, actor: str, **filters: Any) -> int:
    """Write something down about dead letters.

    About those named, or --all that the filters leave (open ones, unless --status says otherwise).
    """
    decision = Decision("note", "note_dead_letter", "open")
    return decide(session, decision, ids, all_, filters, text=note_, actor=actor)


DISPOSITIONS = (retry, ignore, abandon, resolve, compensate, grant, reopen, note)
