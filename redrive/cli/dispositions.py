"""What is decided about dead letters: retry, ignore, abandon, resolve, compensate, grant, reopen, note."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.decide import Decision, decide
from redrive.cli.letter_filters import letter_filters
from redrive.cli.options import Command, acted, reasoned

_Option = Callable[[Callable[..., int]], Callable[..., int]]
_WHO_AND_WHY = MappingProxyType({"actor": "actor", "reason": "reason"})


def _of_many(decision: Decision, told: str, *options: _Option, says: Mapping[str, str] = _WHO_AND_WHY) -> click.Command:
    """A command about the dead letters that are named, or all that the filters leave; *told* is its help. What else it
    asks for, by *options*, the engine is told by the names that *says* gives."""

    def decides(session: Session, /, ids: Sequence[str], all_: bool, **asked: Any) -> int:
        said = {name: asked.pop(option) for option, name in says.items()}
        return decide(session, decision, ids, all_, asked, **said)

    named = click.argument("ids", nargs=-1, metavar="[ID]…")
    all_ = click.option("--all", "all_", is_flag=True, help="All that the filters leave: look with `list` first.")
    asks: Callable[..., int] = pass_session(decides)
    for option in options or (reasoned,):
        asks = option(asks)
    return click.command(decision.verb, cls=Command, help=told)(named(all_(letter_filters(asks))))


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
grant = _of_many(
    Decision("grant", "grant_retries", "parked"),
    """Allow N more dispatches of dead letters, and retry them.

    Those named, or --all that the filters leave (parked ones, unless --status says otherwise). N is from 1 to 100, for
    each of them. This is the way on for parked ones, whose dispatches are used up.
    """,
    reasoned,
    click.argument("n", type=int),
    says={**_WHO_AND_WHY, "n": "n"},
)
note = _of_many(
    Decision("note", "note_dead_letter", "open"),
    """Write something down about dead letters.

    About those named, or --all that the filters leave (open ones, unless --status says otherwise).
    """,
    acted,
    click.argument("note_", metavar="TEXT"),
    says={"actor": "actor", "note_": "text"},
)


DISPOSITIONS = (retry, ignore, abandon, resolve, compensate, grant, reopen, note)
