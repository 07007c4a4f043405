"""What a host says to have payloads encrypted."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from redrive.domain.errors import InvalidValue
from redrive.domain.identity import Tenant
from redrive.domain.values import clean_name


@dataclass(frozen=True, slots=True)
class Privacy:
    """Payloads are encrypted with a key per subject; destroying the key makes them unreadable.

    *keys* is the file of the key store, outside the log; it is created when the log has none yet. *subject_of* says
    whom the payloads of a run are about, given its tenant and automation (None: nobody, they stay plain); it is asked
    while the log is locked for writing, so let it be quick. What ``submit(subject=…)`` names goes before it. Default:
    the tenant. *master_key* is a file of 32 bytes (or 64 hexadecimal digits) that wraps the keys in the store.
    """

    keys: str | Path
    subject_of: Callable[[Tenant, str], str | None] | None = None
    master_key: str | Path | None = None

    def __post_init__(self) -> None:
        _clean_path(self.keys, "privacy.keys")
        if self.subject_of is not None and not callable(self.subject_of):
            raise InvalidValue("privacy.subject_of", self.subject_of, "a function of tenant and automation")
        if self.master_key is not None:
            _clean_path(self.master_key, "privacy.master_key")


def _clean_path(given: str | Path, field: str) -> None:
    clean_name(str(given) if isinstance(given, Path) else given, field)
