"""How a command ends: every error as a sentence and an exit code, never as a traceback."""

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Iterator, Sequence

import click

from redrive.cli.output import printable
from redrive.domain.errors import Conflict, InvalidValue, NotFound, RedriveError, Refused, StorageError

DONE, RUN_DID_NOT_SUCCEED, USAGE, REFUSED, NOT_FOUND, STORAGE = range(6)
NO_ANSWER = 64
"""Of a command whose exit code is its answer, in place of those that are an answer too."""
BUG = 70
INTERRUPTED = 130
BROKEN_PIPE = 141

_CODES: tuple[tuple[type[RedriveError], int], ...] = (
    (InvalidValue, USAGE),
    (Refused, REFUSED),
    (NotFound, NOT_FOUND),
    (Conflict, STORAGE),
    (StorageError, STORAGE),
)


class NoLog(NotFound):
    """There is no log where one was looked for."""

    def __init__(self, path: str, *, named: bool) -> None:
        super().__init__("log", path)
        other = "" if named else ", and --db URL names another"
        shown = printable(path, 200)
        self.args = (f"there is no log at {shown}; `redrive run` and `redrive submit` create one{other}",)


class NoAnswer(Exception):
    """A command whose exit code is its answer found none, because of the error that it is raised from."""


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """What is refused, not found or makes no sense is no answer. Raises NoAnswer."""
    try:
        yield
    except (RedriveError, click.ClickException) as error:
        raise NoAnswer from error


def exit_code_of(error: RedriveError) -> int:
    """The exit code that tells what kind of *error* it is."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), STORAGE)


def told(error: BaseException, args: Sequence[str]) -> int:
    """Tell *error* on standard error, as JSON when the command line asked for it; the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else DONE
    cause = error.__cause__ if isinstance(error, NoAnswer) else None
    if cause is not None:
        code = told(cause, args)
        return NO_ANSWER if code in (USAGE, REFUSED, NOT_FOUND) else code
    code, name, sentence = _judged(error)
    if code == BROKEN_PIPE:
        _close_stdout()
        return code
    if code == BUG and "debug" in args:
        traceback.print_exception(error)
    if "--json" in args:
        _to_stderr(json.dumps({"schema": "redrive.error/1", "code": name, "message": sentence}))
    elif isinstance(error, click.exceptions.NoArgsIsHelpError):
        _to_stderr(error.format_message())
    elif isinstance(error, click.UsageError):
        _to_stderr(_usage(error, sentence))
    elif code == INTERRUPTED:
        _to_stderr(sentence)
    else:
        _to_stderr(f"Error: {sentence}" if code != REFUSED else f"Refused ({name}): {sentence}")
    return code


def _judged(error: BaseException) -> tuple[int, str, str]:
    match error:
        case RedriveError():
            return exit_code_of(error), error.code, printable(error)
        case click.NoSuchOption(option_name="--at", ctx=ctx) if ctx is not None:
            sentence = f"`{ctx.command_path}` acts, or tells of the present: --at is for commands that show and list"
            return USAGE, "usage", printable(sentence)
        case click.ClickException():
            return USAGE, "usage", printable(error.format_message())
        case click.Abort() | KeyboardInterrupt():
            return INTERRUPTED, "interrupted", "interrupted"
        case BrokenPipeError():
            return BROKEN_PIPE, "broken-pipe", "the reader of the output went away"
        case MemoryError():
            return STORAGE, "out-of-memory", "there is not enough memory for this"
        case OSError():
            return STORAGE, "storage", printable(error)
    sentence = f"a bug in redrive: {type(error).__name__}: {printable(error, 300)} (--log-level debug tells more)"
    return BUG, "bug", sentence


def _usage(error: click.UsageError, sentence: str) -> str:
    if error.ctx is None:
        return f"Error: {sentence}"
    path = error.ctx.command_path
    return f"{error.ctx.get_usage()}\nTry '{path} --help' for help.\n\nError: {sentence}"


def _to_stderr(line: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def let_go_of_stdout() -> None:
    """What could not be written was told; the interpreter must not try, and tell it, again."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _close_stdout()


def _close_stdout() -> None:
    """Nobody reads any more: let the interpreter's last flush go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
        os.close(devnull)
