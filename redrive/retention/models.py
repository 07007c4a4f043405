"""What archiving answers. Times are UTC milliseconds."""

from redrive.projections.models import Model


class ArchiveReport(Model):
    """What was moved to an archive (or, *dry_run*, would be): states of *events* of *runs*, *bytes* of them, recorded
    no later than *before_ms*. *unsettled* are runs that are over and old, but have a dead letter, an effect or a
    compensation that is not; *unreadable* those that this process cannot read. *last_position* is that of the last
    event that says so, None when there was nothing to do."""

    path: str
    archive: str | None
    runs: int
    events: int
    bytes: int
    unsettled: int
    unreadable: int
    before_ms: int
    last_position: int | None
    dry_run: bool
