"""``redrive privacy``: payloads encrypted per subject, and keys that are destroyed."""

from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command, Group, reasoned
from redrive.cli.times import absolute

if TYPE_CHECKING:
    from redrive.engine import Engine
    from redrive.privacy.models import PrivacyStatus


@click.group(cls=Group)
def privacy() -> None:
    """Have payloads encrypted per subject, and destroy the key of one.

    The setting key_store (REDRIVE_KEY_STORE) names the file of the keys; keep it apart from the log and its backups.
    """


@privacy.command(cls=Command)
@pass_session
def init(session: Session) -> None:
    """Make the key store: new runs are encrypted from now on.

    Every process that has the log open needs the setting from now on, and must be started anew. Done again, it changes
    nothing.
    """
    _tell(session, _engine(session, create=True).privacy_status())


@privacy.command(cls=Command)
@pass_session
def show(session: Session) -> None:
    """Tell where the keys are, and how many."""
    _tell(session, _engine(session).privacy_status())


@privacy.command(cls=Command)
@click.argument("subject")
@reasoned
@pass_session
def destroy(session: Session, subject: str, reason: str, actor: str) -> None:
    """Destroy the key of a subject, and with it what it encrypted.

    Nothing of it can be read any more, by anybody, ever. SUBJECT is the name under which payloads were submitted;
    without one it is the tenant (ORG/WS/DEPLOYMENT). Its unfinished runs are cancelled, its unsettled dead letters
    abandoned. Actor and reason stay readable: do not name the subject in them.
    """
    out = session.output
    done = _engine(session).destroy_key(subject, tenant=session.tenant, actor=actor, reason=reason)
    if out.json:
        out.item("key-destroyed", done)
        return
    out.say(f"destroyed: key {done.key}, at position {done.position}")
    out.facts(
        [
            ("runs cancelled", str(done.cancelled)),
            ("dead letters abandoned", str(done.abandoned)),
            ("destroyed at", absolute(done.destroyed_at_ms)),
        ]
    )
    out.remark("Copies of the key store (backups, snapshots) still hold the key: let them expire.")


def _engine(session: Session, *, create: bool = False) -> "Engine":
    from redrive.domain.errors import InvalidValue

    if session.settings.key_store is None:
        raise InvalidValue(
            "setting key_store", None, "a file for the keys: REDRIVE_KEY_STORE, or key_store in redrive.toml"
        )
    return session.engine(create=create)


def _tell(session: Session, status: "PrivacyStatus") -> None:
    out = session.output
    if out.json:
        out.item("privacy", status)
        return
    out.facts(
        [
            ("key store", status.path),
            ("id", status.id),
            ("wrapped", "by a master key" if status.wrapped else "no"),
            ("keys", f"{status.keys}, {status.destroyed} of them destroyed"),
        ]
    )
