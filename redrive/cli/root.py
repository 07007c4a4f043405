"""The ``redrive`` command itself: a group whose commands are imported when they are needed."""

import io
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NoReturn

import click

from redrive import __version__
from redrive.cli import failures
from redrive.cli.context import Session
from redrive.cli.options import Group

COMMANDS = {
    "demo": "redrive.cli.demo:demo",
    "run": "redrive.cli.run:run",
    "submit": "redrive.cli.submit:submit",
    "work": "redrive.cli.work:work",
    "tick": "redrive.cli.tick:tick",
    "runs": "redrive.cli.runs:runs",
    "show": "redrive.cli.show:show",
    "queues": "redrive.cli.queues:queues",
    "history": "redrive.cli.history:history",
    "timeline": "redrive.cli.timeline:timeline",
    "why": "redrive.cli.why:why",
    "blast": "redrive.cli.blast:blast",
    "note": "redrive.cli.note:note",
    "dead-letters": "redrive.cli.dead_letters:dead_letters",
    "approve": "redrive.cli.approvals:approve",
    "deny": "redrive.cli.approvals:deny",
    "effects": "redrive.cli.effects:effects",
    "reconcile": "redrive.cli.reconcile:reconcile",
    "compensations": "redrive.cli.compensations:compensations",
    "resume-plan": "redrive.cli.resume_plan:resume_plan",
    "pause": "redrive.cli.run_operations:pause",
    "resume": "redrive.cli.run_operations:resume",
    "cancel": "redrive.cli.run_operations:cancel",
    "recover": "redrive.cli.run_operations:recover",
    "diff": "redrive.cli.diff:diff",
    "first": "redrive.cli.first:first",
    "limits": "redrive.cli.limits:limits",
    "export": "redrive.cli.export:export",
    "bundle": "redrive.cli.bundle:bundle",
    "replay": "redrive.cli.replay:replay",
    "what-if": "redrive.cli.what_if:what_if",
    "simulate": "redrive.cli.simulate:simulate",
    "archive": "redrive.cli.archive:archive",
    "privacy": "redrive.cli.privacy:privacy",
    "views": "redrive.cli.views:views",
    "log": "redrive.cli.log:log",
    "db": "redrive.cli.database:db",
    "seal": "redrive.cli.seal:seal",
    "anchor": "redrive.cli.anchor:anchor",
    "verify": "redrive.cli.verify:verify",
    "keys": "redrive.cli.keys:keys",
}


COMPLETION = "_REDRIVE_COMPLETE"


class Root(Group):
    """Imports the modules of its commands late, and turns every error into a sentence and an exit code."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order of a day's work."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first of *args* names. Click looks for what might be meant among those imported."""
        if not ctx.resilient_parsing and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{meant}")
        return super().resolve_command(ctx, args)

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        **extra: Any,
    ) -> NoReturn:
        """Run, and exit. A command returns None, or the exit code."""
        if COMPLETION in os.environ:
            super().main(args, prog_name, complete_var, **extra)
        given = list(sys.argv[1:] if args is None else args)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # Line by line, in a pipe too: whoever reads it sees progress, and beside errors in their order.
                stream.reconfigure(errors="backslashreplace", line_buffering=True)
        code = self._run(given, prog_name or "redrive")
        failures.let_go_of_stdout()
        sys.exit(code)

    def _run(self, given: list[str], prog_name: str) -> int:
        try:
            with self.make_context(prog_name, list(given), obj=Session(given)) as ctx:
                returned = self.invoke(ctx)
                ctx.obj.last_words()
            sys.stdout.flush()
        except click.exceptions.Exit as finished:  # --help, --version
            returned = finished.exit_code
        except BaseException as error:  # noqa: BLE001 - a user never meets a traceback
            returned = failures.told(_judged_by_its_command(error, given), given)
        return returned if isinstance(returned, int) else failures.DONE


def _judged_by_its_command(error: BaseException, given: Sequence[str]) -> BaseException:
    """Before the command is reached, nobody but the command line tells that its exit code would be an answer."""
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    if ctx is None or ctx.parent is not None or "verify" not in given:
        return error
    without = failures.NoAnswer()
    without.__cause__ = error
    return without


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="redrive")
def cli() -> None:
    """Run workflows that survive failure: every retry, dead letter and decision is kept in a log.

    Start with `redrive run FLOW_FILE`. When something is wrong, `redrive dead-letters list` and `redrive queues`
    say what; `redrive show ID` and `redrive history RUN` say why.
    """
