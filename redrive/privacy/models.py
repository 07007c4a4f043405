"""What the privacy commands answer. Times are UTC milliseconds."""

from redrive.projections.models import Model


class KeyDestruction(Model):
    """A destroyed key. *subject* is the HMAC that stands for the subject in the log; *cancelled* are the runs, and
    *abandoned* the dead letters, that were unfinished; *removed* the files with copies of what is gone."""

    key: str
    subject: str
    destroyed_at_ms: int
    position: int
    cancelled: int
    abandoned: int
    removed: tuple[str, ...]


class PrivacyStatus(Model):
    """The key store of a log: its file and id, whether a master key wraps its keys, how many keys there are, how many
    were destroyed, and how many destructions are not finished."""

    path: str
    id: str
    wrapped: bool
    keys: int
    destroyed: int
    unfinished: int
