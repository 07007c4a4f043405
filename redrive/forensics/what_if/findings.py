"""What was found about the runs of a log, or about some of them."""

from dataclasses import dataclass, field
from functools import cache

from pydantic import TypeAdapter

from redrive.forensics.what_if.bounds import Amounts
from redrive.forensics.what_if.sums import Sums


@dataclass(slots=True)
class Findings:
    """What is *recorded*, and what of it stays the *same*; what the runs that differ come to in *sums*; from which
    position on each of them has *parted* from what was recorded, and which are *gone*, having been dropped as a whole;
    *notes*, by position. What the policy may have changed about the runs that are *kept* cannot be told, and why."""

    recorded: Amounts = field(default_factory=Amounts)
    same: Amounts = field(default_factory=Amounts)
    sums: Sums = field(default_factory=Sums)
    parted: dict[str, int] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    notes: list[tuple[int, str]] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)

    def add(self, other: "Findings") -> None:
        """Add what was found about other runs."""
        self.recorded.add(other.recorded)
        self.same.add(other.same)
        self.sums.add_all(other.sums)
        self.parted.update(other.parted)
        self.gone |= other.gone
        self.notes += other.notes
        self.kept = {**other.kept, **self.kept}


@cache
def findings_json() -> TypeAdapter[Findings]:
    """Findings as one process tells them another."""
    return TypeAdapter(Findings)
