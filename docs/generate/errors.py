"""The errors and the exit codes, from the classes."""

from collections.abc import Iterator

from docs.generate.markdown import code, prose, table
from redrive.cli import failures, ids
from redrive.domain.errors import RedriveError

assert ids, "importing the command line completes the tree"


def every(cls: type[RedriveError] = RedriveError, depth: int = 0) -> Iterator[tuple[int, type[RedriveError]]]:
    """The tree of errors, with the depth of each."""
    yield depth, cls
    for child in cls.__subclasses__():
        yield from every(child, depth + 1)


def tree() -> str:
    """Every error: class, code, meaning, exit code."""
    rows = []
    for depth, cls in every():
        if cls.__module__.startswith("redrive.cli") and "code" not in vars(cls):
            continue  # the same code with another sentence
        status = "" if cls is RedriveError else failures.exit_code_of(cls.__new__(cls))
        where = " (command line only)" if cls.__module__.startswith("redrive.cli") else ""
        rows.append(("&emsp;" * depth + code(cls.__name__), code(cls.code), prose(cls.__doc__) + where, status))
    return table(("class", "code", "meaning", "exit"), rows)


def exit_codes() -> str:
    """Every exit code of the command line."""
    return table(
        ("exit", "meaning"),
        (
            (failures.DONE, "Done. For `redrive run`: the run completed."),
            (
                failures.RUN_DID_NOT_SUCCEED,
                (
                    "`redrive run`: the run failed, has dead letters, or is not finished. "
                    "`redrive first`: a violation. `redrive replay --check`: a difference. `redrive simulate`: "
                    "something did not hold. `redrive verify`: see below."
                ),
            ),
            (failures.USAGE, "The command line, a setting or a file makes no sense; nothing was written."),
            (
                failures.REFUSED,
                "The rules say no: a stable code and a sentence; nothing was written for what was refused.",
            ),
            (failures.NOT_FOUND, "There is no such record for this tenant, or no log."),
            (failures.STORAGE, "The log cannot be read or written; nothing was acknowledged that is not durable."),
            (failures.NO_ANSWER, "`redrive verify`, `redrive bundle verify`: no answer, in place of 2, 3 and 4 above."),
            (failures.BUG, "A bug in redrive."),
            (failures.INTERRUPTED, "Interrupted by Ctrl-C or SIGTERM; what was acknowledged is kept."),
            (failures.BROKEN_PIPE, "The reader of the output went away."),
        ),
    )
