"""Bundles of a sealed log, taken apart and put together again as an attacker would, and both verifiers asked."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import redrive
from redrive.evidence import verify
from redrive.evidence.bundle.archive import BLOCK, MANIFEST, Archive, canonical_line
from redrive.evidence.bundle.checking import verify_bundle
from redrive.evidence.notes import Checkpoint, Signer, signed

Files = dict[str, bytes]


def exported(engine: redrive.Engine, **wanted: Any) -> bytes:
    """The bytes of a bundle."""
    file = io.BytesIO()
    engine.export(file, **wanted)
    return file.getvalue()


def files_of(bundle: bytes) -> Files:
    """Its files, but for the manifest."""
    files, at = {}, 0
    while bundle[at] != 0:
        name, size = bundle[at : at + 100].rstrip(b"\0").decode(), int(bundle[at + 124 : at + 135], 8)
        files[name] = bundle[at + BLOCK : at + BLOCK + size]
        at += BLOCK + size + -size % BLOCK
    del files[MANIFEST]
    return files


def packed(files: Mapping[str, bytes]) -> bytes:
    """A bundle of *files*, with the manifest that an attacker would write for them."""
    file = io.BytesIO()
    archive = Archive(file)
    for name in sorted(files):
        archive.add(name, files[name])
    archive.finish()
    return file.getvalue()


def verdicts(bundle: bytes, folder: Path, keys: Sequence[str] = (), pins: Sequence[str] = ()) -> set[str]:
    """What both verifiers say: one word when they agree."""
    path = folder / "asked.tar"
    path.write_bytes(bundle)
    ours = verify_bundle(path, keys=keys, pins=pins).result
    kept = [verify.checkpoint_of(pin.encode()) for pin in pins]
    alone = verify.verify(io.BytesIO(bundle), [verify.Key.parse(key) for key in keys], kept)
    return {ours, alone.result}


def entries_of(files: Files) -> list[dict[str, Any]]:
    """The entries, as documents."""
    names = [name for name in files if name.startswith("entries/")]
    return [json.loads(line) for name in names for line in files[name].splitlines()]


def with_entries(files: Files, entries: Sequence[Mapping[str, Any]], **facts: Any) -> bytes:
    """The bundle with other entries, and *facts* of bundle.json made to fit."""
    told = json.loads(files["bundle.json"]) | {"entries": len(entries)} | facts
    new = {name: data for name, data in files.items() if not name.startswith("entries/")}
    lines = b"".join(canonical_line(dict(entry)) for entry in entries)
    return packed(new | {"entries/000000.jsonl": lines, "bundle.json": canonical_line(told)})


def evidence_in(bundle: bytes) -> tuple[Any, ...]:
    """What a bundle proves: its tree, and each event by its place in it, as far as leaves tell."""
    files = files_of(bundle)
    checkpoint = verify.checkpoint_of(files["checkpoint"])
    names = ("index", "kind", "originator", "version", "recorded_at_ms", "topic", "state", "tenant", "correlation")
    events = tuple(tuple(entry.get(name) for name in names) for entry in entries_of(files))
    return checkpoint.text, events


def note_of(checkpoint: Checkpoint, *signers: Signer) -> bytes:
    """A checkpoint, signed by whoever has a key."""
    return str(signed(checkpoint.text(), signers)).encode()
