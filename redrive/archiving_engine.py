"""What an engine does about old records."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

from redrive.domain.errors import InvalidValue
from redrive.domain.identity import human
from redrive.domain.values import MAX_INTEGER, clean_integer, clean_name
from redrive.ledger.ledger import refuse_in_batch
from redrive.tenant_effects import Actor

if TYPE_CHECKING:
    from redrive.engine import Engine
    from redrive.retention.models import ArchiveReport


class ArchivingEngine:
    """The operators' command about old records."""

    def archive(
        self, *, older_than_ms: int, to: str | Path, actor: Actor, reason: str, dry_run: bool = False
    ) -> "ArchiveReport":
        """Move the states of settled records to the archive *to*, a file that is made or added to. Settled is a run
        that is completed or cancelled, whose dead letters, effects and compensations are settled as well; and all of it
        was recorded *older_than_ms* ago, or before. Every query goes on as before, and reads the archive where it needs
        to. *dry_run* only tells what would be moved.

        Raises InvalidValue; StorageError when the archive cannot be written, and then nothing is moved.
        """
        from redrive.retention.archiving import archive_records

        refuse_in_batch("archive")
        engine, age = cast("Engine", self), clean_integer(older_than_ms, "older_than_ms", 0, MAX_INTEGER)
        if type(dry_run) is not bool:
            raise InvalidValue("dry_run", dry_run, "true or false")
        told = engine.services.reason(reason)
        return archive_records(
            engine,
            before_ms=engine.now_ms() - age,
            to=Path(clean_name(str(to) if isinstance(to, Path) else to, "to")),
            actor=human(actor),
            reason=told,
            dry_run=dry_run,
        )
