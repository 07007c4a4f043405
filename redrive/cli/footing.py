"""The last line of every forensic report: what it stands on."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redrive.cli.output import Output
    from redrive.forensics.footing import Footing


def print_footing(out: "Output", footing: "Footing | None") -> None:
    """Origin, position, seal, code."""
    if footing is not None:
        out.say(f"\nlog {footing.origin} at position {footing.position}, {footing.seal}; {footing.code}")
