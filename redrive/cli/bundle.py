"""``redrive bundle``: evidence bundles that somebody handed over."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Answering, Group
from redrive.cli.output import Output, printable
from redrive.cli.times import absolute
from redrive.domain.errors import InvalidValue

if TYPE_CHECKING:
    from redrive.engine import Engine
    from redrive.evidence.bundle.checking import BundleReport


@click.group(cls=Group)
def bundle() -> None:
    """Verify evidence bundles.

    To look into one, name it as the log: `redrive --db bundle:FILE runs`, `history`, `dead-letters list`.
    """


@bundle.command(cls=Answering)
@click.argument("file", metavar="FILE")
@click.option("--key", "keys", multiple=True, help="A verifier key (name+id+key), or a file with one on each line.")
@click.option(
    "--pin", "pins", multiple=True, type=click.Path(dir_okay=False, path_type=Path), help="A checkpoint that was kept."
)
@pass_session
def verify(session: Session, file: str, keys: tuple[str, ...], pins: tuple[Path, ...]) -> int:
    """Check a bundle against itself, and against what you trust.

    VERIFIED (exit 0) is said only when every key and pin that you give agrees: a bundle's own key proves nothing.
    TAMPERED is 1, SELF-CONSISTENT 2, STALE 3, INCOMPLETE 4; 64 is no answer: the command line makes no sense. The
    verify.py in each bundle says the same without redrive.
    """
    from redrive.evidence.bundle.checking import verify_bundle

    out = session.output
    report = verify_bundle(
        file,
        keys=[line for text in keys for line in _lines(text)],
        pins=[_read("pin", pin) for pin in pins],
    )
    if out.json:
        out.item("bundle", report)
    else:
        if report.origin:
            out.facts(_facts(report))
        for why in report.why:
            out.say(f"why          {printable(why, 500)}")
        out.say(f"RESULT       {report.result}")
    return report.result.exit_code


def tell_bundle(out: Output, path: str, engine: "Engine") -> None:
    """The last line of what is asked of a bundle: what the answer stands on."""
    if not out.json:
        last = engine.ledger.last_position()
        shown = printable(path)
        out.remark(
            f"From the evidence bundle {shown}, up to position {last}; `redrive bundle verify {shown}` checks it."
        )


def _facts(report: "BundleReport") -> list[tuple[str, object]]:
    proofs = f"{report.single_proofs:,} by .tlog-proof, {report.entries - report.single_proofs:,} in a range"
    return [
        ("origin     ", report.origin),
        ("checkpoint", f"{report.size:,} leaves, root {report.root}"),
        ("since", None if report.since is None else f"{report.since:,} leaves: the tree has only grown"),
        ("entries", f"{report.entries:,}, each a leaf of the tree: {proofs}"),
        ("states", f"{report.left_out:,} are left out" if report.left_out else None),
        ("begun before", f"{report.begun_before:,} streams" if report.begun_before else None),
        ("recorded", f"{absolute(report.first_recorded_at_ms)} to {absolute(report.last_recorded_at_ms)}"),
        ("selected", report.selection),
        *(("agrees", one) for one in report.agreed),
    ]


def _lines(text: str) -> list[str]:
    lines = [text] if "+" in text else _read("key", Path(text)).decode("utf-8", "replace").splitlines()
    return [line for line in lines if line.strip()]


def _read(field: str, path: Path) -> bytes:
    """What is trusted, from a file. Raises InvalidValue."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        also = "name+id+key, or " if field == "key" else ""
        raise InvalidValue(field, str(path), f"{also}a file that can be read ({error})") from None
