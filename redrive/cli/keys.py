"""``redrive keys``: the key that signs checkpoints."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command, Group
from redrive.cli.times import moment

if TYPE_CHECKING:
    from redrive.evidence.keys import KeyFile


@click.group(cls=Group)
def keys() -> None:
    """Make, change and show the key that signs checkpoints."""


@keys.command(cls=Command)
@click.option("--name", help="Whose key it is, as others will see it (default: this host).")
@pass_session
def init(session: Session, name: str | None) -> None:
    """Make a key, in a file that only you can read.

    Its public half is printed: give it to those who are to verify the log, on another way than with the log.
    """
    from redrive.evidence.keys import default_name

    file = _file(session)
    file.init(default_name() if name is None else name, _now_ms())
    _tell(session, file, "made")
    session.output.next((session.command("seal"), "seal the log with it"))


@keys.command(cls=Command)
@pass_session
def rotate(session: Session) -> None:
    """Sign with a new key from now on.

    The next checkpoint of each log is signed by the old key and by the new one, so that whoever trusts the old one
    learns the new one. Old public keys are kept.
    """
    file = _file(session)
    file.rotate(_now_ms())
    _tell(session, file, "changed")


@keys.command(cls=Command)
@click.option("--signing", is_flag=True, help="Only the one that signs: for who is to verify bundles of today.")
@pass_session
def show(session: Session, signing: bool) -> None:
    """Show the public keys, the newest first."""
    _tell(session, _file(session), "", most=1 if signing else None)


def _tell(session: Session, file: "KeyFile", done: str, most: int | None = None) -> None:
    out, found = session.output, file.read()[:most]
    rows: list[dict[str, Any]] = [
        {"verifier": str(key.verifier), "created_ms": key.created_ms, "signs": n == 0} for n, key in enumerate(found)
    ]
    if out.json:
        out.items("keys", rows)
        return
    for row in rows:
        out.say(row["verifier"])
    if not rows:
        out.remark(f"There is no key at {file.path}: checkpoints are not signed.")
        out.next((session.command("keys", "init"), "make one"))
    elif done:
        out.remark(f"The key was {done}: {file.path}")
    else:
        out.remark(f"The first one signs, since {moment(rows[0]['created_ms'], _now_ms())}: {file.path}")


def _file(session: Session) -> "KeyFile":
    from redrive.evidence.keys import KeyFile, default_key_file

    named = session.settings.key_file
    return KeyFile(default_key_file() if named is None else Path(named).expanduser())


def _now_ms() -> int:
    import time

    return time.time_ns() // 1_000_000
