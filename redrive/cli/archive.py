"""``redrive archive``: old records that are settled leave the log, and are read from their archive."""

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.counted import counted
from redrive.cli.options import Command, reasoned
from redrive.cli.times import Duration


@click.command(cls=Command)
@click.option("--older-than", "age_ms", type=Duration(), required=True, help="How old, for example 90d.")
@click.option("--to", "path", required=True, metavar="FILE", help="The archive: made, or added to.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be moved.")
@reasoned
@pass_session
def archive(session: Session, age_ms: int, path: str, dry_run: bool, reason: str, actor: str) -> None:
    """Move old, settled records into an archive.

    What is moved are the stored bytes of runs that are completed or cancelled, and of all that belongs to them. Queries
    go on as before and read the archive where they need to: keep it where it is, or beside the log.
    """
    out = session.output
    done = session.engine().archive(older_than_ms=age_ms, to=path, actor=actor, reason=reason, dry_run=dry_run)
    if out.json:
        out.item("archive", done)
        return
    told = "would be moved" if dry_run else "moved"
    out.say(f"{counted(done.runs, 'run')}, {counted(done.events, 'event')}, {done.bytes:,} bytes {told} to {done.path}")
    if done.unsettled:
        out.remark(
            f"{counted(done.unsettled, 'run')} not moved: a dead letter, an effect or a compensation is not settled."
        )
    if done.unreadable:
        out.remark(f"{counted(done.unreadable, 'run')} not moved: cannot be read here.")
    if done.events and not dry_run:
        vacuum = "`VACUUM FULL events` by the owner" if session.on_server else "`sqlite3 LOG VACUUM`"
        out.remark(f"The room is used again by new events; {vacuum}, with nobody at work, gives it back.")
