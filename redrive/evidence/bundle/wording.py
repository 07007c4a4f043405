"""The page that travels with a bundle: how to verify it, in plain words."""

from collections.abc import Sequence

from redrive.domain.values import canonical_json
from redrive.evidence.bundle.contents import Contents
from redrive.evidence.notes import Verifier

_PAGE = """\
# Evidence from the log {origin}

This file is a part of an append-only log of redrive ({entries} events, selected by {selection}), with the proofs that
each of these events stands in the log as it is shown here.

## Verify it

1. Get `verify.py` from a release of redrive, or from another place that you trust. The copy in here is for reading: who
   could forge the events could also change the verifier beside them.
2. Get the public key of the log, or a checkpoint of it, from somebody else than who gave you this file: from the
   company's web site, from your own records, from a witness.
3. Run, with Python 3.11 or later and the package `cryptography`; nothing is fetched from a network:

       python verify.py case.tar --key 'NAME+ID+KEY'
       python verify.py case.tar --pin checkpoint.txt

`RESULT VERIFIED` (exit 0) is said only when the keys and pins that you gave agree, and one of them covers every entry.
Without any, or with a pin alone that is older than an entry, the best result is `SELF-CONSISTENT` (2): whoever can
write a log can write a bundle that agrees with itself, and go on from what you have seen. `TAMPERED` (1) says what
contradicts. `STALE` (3): your pin is newer than this bundle. `INCOMPLETE` (4): what you asked for is not here.

## What it shows

Checkpoint: {size} events, root {root}.
{keys}
Each line of `entries/` is an event: its stream and version, when it was recorded, what kind it is, and its state as it
was stored. From these the leaf of a Merkle tree (RFC 6962) is computed; `proofs/` and `ranges/` lead from the leaves to
the root in `checkpoint`, which is signed.

It does not show that what was recorded is true, or that nothing else belongs to the selection, except within a range:
of that, no event is missing. `selection`, `log` and `code` in `bundle.json`, the numbers of positions, and this page
are what the exporter says.

## Look into it

    redrive --db bundle:case.tar dead-letters list
    redrive --db bundle:case.tar history RUN
"""


def instructions(contents: Contents, keys: Sequence[Verifier]) -> str:
    """The page of a bundle with these *contents*."""
    named = "".join(f"The exporter says that its key is {key}; that proves nothing, compare it.\n" for key in keys)
    return _PAGE.format(
        origin=contents.origin,
        entries=contents.entries,
        selection=canonical_json(contents.selection).decode(),
        size=contents.size,
        root=contents.root,
        keys=named or "The log has no key: only a pin can verify it.\n",
    )
