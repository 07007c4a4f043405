"""Hands evidence over: chooses, seals, writes the file whole or not at all, and says what was written."""

import contextlib
import os
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, BinaryIO, cast

from redrive.domain.errors import InvalidValue, StorageError
from redrive.evidence.bundle.export import HashedFile, Order, Since, parse_since, write_bundle
from redrive.evidence.bundle.selection import Selection, select_positions, select_run, select_since
from redrive.evidence.log_store import LogEvidence
from redrive.evidence.notes import parse_note
from redrive.evidence.store import StoredCheckpoint
from redrive.forensics.footing import Footing, footing
from redrive.projections.models import Model

if TYPE_CHECKING:
    from redrive.engine import Engine


class ExportReport(Model):
    """What was handed over. *path* is None for a file object; *sha256* is of the whole file. *size*, *root* and *note*
    are those of the checkpoint that it is proven against, *since* the leaves of the earlier one."""

    path: str | None
    bytes: int
    sha256: str
    entries: int
    states: bool
    size: int
    root: str
    since: int | None
    signed: bool
    note: str
    footing: Footing


@dataclass(frozen=True)
class Wanted:
    """What was asked for. Raises InvalidValue unless it is one thing."""

    run: str | None = None
    positions: tuple[int, int] | None = None
    since: str | bytes | None = None
    states: bool = True

    def __post_init__(self) -> None:
        if self.run is not None and self.positions is not None:
            raise InvalidValue("export", "both run and positions", "one of them")
        if self.run is None and self.positions is None and self.since is None:
            raise InvalidValue("export", None, "a run, or positions (first, last), or since, a checkpoint")
        if self.positions is not None and (not isinstance(self.positions, (tuple, list)) or len(self.positions) != 2):
            raise InvalidValue("positions", self.positions, "two positions: the first and the last")
        if self.since is not None and not isinstance(self.since, (str, bytes)):
            raise InvalidValue("since", self.since, "the text of a checkpoint, as it was kept")


def export_bundle(engine: "Engine", to: "str | Path | BinaryIO", wanted: Wanted, *, force: bool) -> ExportReport:
    """Write what is *wanted* to *to*. Raises InvalidValue for an empty log, NotFound, SealRefused, StorageError."""
    with _file_at(to, force=force) as file:
        sealed = engine.seal()
        if sealed is None:
            raise InvalidValue("export", "an empty log", "a log with at least one event")
        source = engine.evidence.store.whole() if wanted.states else engine.evidence.store
        signers = {(one.name, one.key_id) for one in parse_note(sealed.note).signatures}
        since = None if wanted.since is None else parse_since(source, sealed, wanted.since)
        order = Order(
            log=engine.ledger.id,
            sealed=sealed,
            selection=_selected(engine, source, sealed, wanted, since),
            keys=[key for key in engine.evidence.keys.verifiers() if (key.name, key.key_id) in signers],
            since=since,
            states=wanted.states,
        )
        hashed = HashedFile(file)
        with _file_errors(to):
            write_bundle(source, order, hashed)
    return ExportReport(
        path=None if hasattr(to, "write") else str(to),
        bytes=hashed.size,
        sha256=hashed.digest.hexdigest(),
        entries=order.selection.entries,
        states=wanted.states,
        size=sealed.size,
        root=b64encode(sealed.root).decode(),
        since=None if since is None else since.checkpoint.size,
        signed=bool(signers),
        note=sealed.note,
        footing=footing(engine, sealed.position),
    )


def _selected(
    engine: "Engine", source: LogEvidence, sealed: StoredCheckpoint, wanted: Wanted, since: Since | None
) -> Selection:
    ledger = engine.ledger
    if wanted.run is not None:
        return select_run(source, ledger, sealed, wanted.run)
    if wanted.positions is not None:
        return select_positions(source, ledger, sealed, *wanted.positions)
    assert since is not None
    return select_since(source, ledger, sealed, since.checkpoint.size)


@contextlib.contextmanager
def _file_at(to: "str | Path | BinaryIO", *, force: bool) -> Iterator[BinaryIO]:
    """A file that takes its place at *to* when all went well."""
    if hasattr(to, "write"):
        yield cast(BinaryIO, to)
        return
    if not isinstance(to, (str, Path)) or not str(to) or "\0" in str(to):
        raise InvalidValue("to", to, "the path of a file, or a file that is open for writing bytes")
    path = Path(to)
    beside = path.with_name(f".{path.name}.{token_hex(4)}")
    with _file_errors(path):
        _require_free(path, force=force)
        file = beside.open("xb")
    try:
        with file:
            yield file
            with _file_errors(path):
                file.flush()
                os.fsync(file.fileno())
        with _file_errors(path):
            _place(beside, path, force=force)
    finally:
        beside.unlink(missing_ok=True)


def _place(beside: Path, path: Path, *, force: bool) -> None:
    """Put the finished file where it belongs; who came first stays, unless he is to be replaced."""
    if not force:
        try:
            os.link(beside, path)
        except FileExistsError:
            _require_free(path, force=False)
        except OSError:  # a file system without hard links
            _require_free(path, force=False)
        else:
            return
    beside.replace(path)


def _require_free(path: Path, *, force: bool) -> None:
    if path.is_dir() or (not force and (path.exists() or path.is_symlink())):
        raise InvalidValue("to", str(path), "a path where there is nothing yet; force=True (--force) replaces a file")


@contextlib.contextmanager
def _file_errors(to: object) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{to}: the bundle cannot be written ({error})") from error
