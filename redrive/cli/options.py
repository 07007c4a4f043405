"""Options that commands share: the global ones stand before or after the command, with the same meaning."""

import getpass
from collections.abc import Callable
from typing import Any, TypeVar

import click

from redrive.cli.context import Session
from redrive.cli.failures import answering
from redrive.cli.words import Word

F = TypeVar("F", bound=Callable[..., Any])
GLOBAL = "Global options (before or after the command)"


def _remember(ctx: click.Context, param: click.Parameter, value: object) -> None:
    """Keep what was given; the option nearer to the end of the line wins."""
    if value is not None and value is not False:
        ctx.ensure_object(Session).give(str(param.name), value)


def _global_options() -> list[click.Parameter]:
    kept: dict[str, Any] = {"expose_value": False, "callback": _remember, "is_eager": True}
    return [
        click.Option(
            ["--db"],
            metavar="URL",
            help="The log: sqlite:///file.db or postgresql://… (REDRIVE_DB); or several.",
            **kept,
        ),
        click.Option(["--tenant"], metavar="ORG/WS/DEPLOYMENT", help="Whose records (REDRIVE_TENANT).", **kept),
        click.Option(["--json"], is_flag=True, help="Print JSON, for programs.", **kept),
        click.Option(["--log-format"], type=Word("console", "json"), help="How logs are written to stderr.", **kept),
        click.Option(
            ["--log-level"], type=Word("debug", "info", "warning", "error"), help="The least that is logged.", **kept
        ),
    ]


class Command(click.Command):
    """A command that takes the global options too, and lists them apart from its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_global_options())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the global ones."""
        format_options(self, ctx, formatter)


class Answering(Command):
    """A command whose exit code is its answer. Without an answer it ends with a code that is none."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the rest of the command line."""
        with answering():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        with answering():
            return super().invoke(ctx)


class Group(click.Group):
    """A group of commands that takes the global options too."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_global_options())

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order in which they were added."""
        return list(self.commands)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the group's own options, the global ones, then the commands."""
        format_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)


def format_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write two lists of options."""
    shared = {option.name for option in _global_options()}
    own: list[tuple[str, str]] = []
    common: list[tuple[str, str]] = []
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record is not None:
            (common if param.name in shared else own).append(record)
    for title, records in (("Options", own), (GLOBAL, common)):
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def paged(command: F) -> F:
    """``--limit`` and ``--cursor``."""
    limit = click.option("--limit", type=int, default=250, show_default=True, help="At most this many, up to 1,000.")
    cursor = click.option("--cursor", help="Go on where a page ended; the page said how.")
    return limit(cursor(command))


def _reason(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str:
    if value is None or not value.strip():
        raise click.UsageError("--reason TEXT is required: say why, it is kept in the history for ever.")
    return value


def login_name() -> str:
    """Who types, as far as this machine knows."""
    try:
        return getpass.getuser() or "operator"
    except (KeyError, OSError, ImportError):
        return "operator"


def _actor(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str:
    return login_name() if value is None else value


def acted(command: F) -> F:
    """``--actor``: who does it."""
    return click.option("--actor", callback=_actor, help="Who does it (default: the login name).")(command)


def reasoned(command: F) -> F:
    """``--reason`` and ``--actor``: every operator command says who and why."""
    reason = click.option("--reason", callback=_reason, metavar="TEXT", help="Why; kept in the history.  [required]")
    return reason(acted(command))
