"""``--at``: the same commands, asked about a moment of the past."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from redrive.cli.reporting import metered, tell_end

if TYPE_CHECKING:
    from redrive.cli.context import Session
    from redrive.forensics.past import Past

F = TypeVar("F", bound=Callable[..., Any])
HELP = "As it stood then: pos:N, time:T (ISO 8601 with a zone, or ms), cp:HASH, or the id of an event."


def _remember(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    from redrive.cli.context import Session

    if value is not None:
        ctx.ensure_object(Session).at = value


def past_too(command: F) -> F:
    """``--at``: for commands that only look."""
    option = click.option("--at", metavar="POSITION", help=HELP, expose_value=False, callback=_remember)
    return option(command)


def past_of(session: "Session") -> "Past":
    """The past that ``--at`` names, until the command ends; what is printed says so, and advises nothing."""
    from redrive.forensics.past import past_of as opened

    assert session.at is not None
    engine = session.engine()
    with metered() as progress:
        past = opened(
            engine,
            session.at,
            tenant=session.asked_as,
            progress=progress,
            checkpoint_events=session.settings.checkpoint_events,
        )
    click.get_current_context().find_root().call_on_close(past.close)
    footing = past.footing
    session.output = replace(session.output, advises=False, footing=footing.model_dump(mode="json"))
    session.last_words = lambda: tell_end(session, footing, past.position)
    return past
