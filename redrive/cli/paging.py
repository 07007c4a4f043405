"""What follows a page: how many were shown, and how to see the rest."""

import shlex
import sys

from redrive.cli.context import Session


def tell_rest(session: Session, shown: int, noun: str, cursor: str | None) -> None:
    """Say how many rows there were, and the command that goes on."""
    out = session.output
    if cursor is None:
        if out.terminal:
            out.remark(f"\n{shown} {noun}{'' if shown == 1 else 's'}.")
        return
    out.remark(f"\n{shown} {noun}s are shown; there are more:")
    out.remark(f"  {again(sys.argv[1:], cursor)}")


def again(args: list[str], cursor: str) -> str:
    """The same command line, going on at *cursor*."""
    kept: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--cursor":
            next(words, None)
        elif not word.startswith("--cursor="):
            kept.append(word)
    return shlex.join(["redrive", *kept, "--cursor", cursor])
