"""Anchors: a checkpoint is told to somebody outside of the database, and what came back is recorded as an event.

Later events came after it; and what was told can be held against the log for ever.
"""

import shlex
import subprocess
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import randbits
from typing import TYPE_CHECKING, Protocol

from redrive.domain.errors import AnchorFailed, InvalidValue, SealRefused
from redrive.domain.identity import Tenant
from redrive.domain.ports import Caller, Transaction
from redrive.domain.records import AnchorRecorded
from redrive.evidence.notes import Verifier, parse_checkpoint, parse_note
from redrive.evidence.pins import PinFile
from redrive.evidence.store import StoredCheckpoint
from redrive.evidence.timestamps import MAX_RESPONSE_BYTES, timestamp_read, timestamp_request
from redrive.evidence.verification import ANCHORS_STREAM
from redrive.evidence.witnesses import ask_witness, exchange, proof_lines

if TYPE_CHECKING:
    from redrive.engine import Engine

MAX_EVIDENCE_BYTES = 65_536
Proof = Callable[[int, int], list[bytes]]


class Anchor(Protocol):
    """Somebody to tell."""

    def tell(self, point: StoredCheckpoint, proof: Proof) -> AnchorRecorded:
        """Tell a checkpoint; what came back. *proof* proves consistency of two sizes. Raises AnchorFailed."""


@dataclass(frozen=True, slots=True)
class PinAnchor:
    """A file, best on another machine: it holds the last checkpoint that was told to it."""

    path: str | Path

    def tell(self, point: StoredCheckpoint, _proof: Proof) -> AnchorRecorded:
        """Write the file. Raises AnchorFailed."""
        try:
            PinFile(Path(self.path).expanduser()).advance(point.note)
        except SealRefused as error:
            raise AnchorFailed(str(error)) from None
        return _record("pin", str(self.path), point, "", None)


@dataclass(frozen=True, slots=True)
class CommandAnchor:
    """A command that keeps what it reads (mail it, print it, append it to a file elsewhere). No shell is involved;
    what it prints, up to 64 KiB, is recorded."""

    command: str
    timeout_ms: int = 60_000

    def tell(self, point: StoredCheckpoint, _proof: Proof) -> AnchorRecorded:
        """Run it with the checkpoint as its standard input. Raises AnchorFailed, InvalidValue."""
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise InvalidValue("anchor_cmd", self.command, f"a command line ({error})") from None
        if not words:
            raise InvalidValue("anchor_cmd", self.command, "a command line")
        try:
            done = subprocess.run(
                words, input=point.note.encode(), capture_output=True, timeout=self.timeout_ms / 1_000, check=False
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise AnchorFailed(f"the command {words[0]} could not be run: {error}") from None
        if done.returncode != 0:
            told = done.stderr[-500:].decode("utf-8", "replace").strip()
            raise AnchorFailed(f"the command {words[0]} ended with {done.returncode}{told and f': {told}'}")
        printed = done.stdout[:MAX_EVIDENCE_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd")
        return _record("command", self.command, point, printed, None)


@dataclass(frozen=True, slots=True)
class WitnessAnchor:
    """A C2SP witness at *url*: it signs, with its time, checkpoints that continue the last one it saw. *key* is its
    verifier key."""

    url: str
    key: str

    def tell(self, point: StoredCheckpoint, proof: Proof) -> AnchorRecorded:
        """Ask it to sign. Raises AnchorFailed, also when it has seen more than the log has; InvalidValue."""
        witness = Verifier.parse(self.key)
        if not parse_note(point.note).signatures:
            raise AnchorFailed("the checkpoint is not signed, and witnesses sign signed ones only: redrive keys init")
        line, time_s = ask_witness(self.url, witness, point, lambda old: proof_lines(proof(old, point.size)))
        return _record("witness", witness.name, point, line, time_s * 1_000)


@dataclass(frozen=True, slots=True)
class TimestampAnchor:
    """A timestamping authority at *url* (RFC 3161): it states when the checkpoint was there."""

    url: str

    def tell(self, point: StoredCheckpoint, _proof: Proof) -> AnchorRecorded:
        """Ask for a timestamp. Raises AnchorFailed."""
        nonce, message = randbits(64), point.note.encode()
        status, body = exchange(
            self.url, timestamp_request(message, nonce), "application/timestamp-query", MAX_RESPONSE_BYTES
        )
        if status != 200:
            raise AnchorFailed(f"{self.url} answered {status}")
        try:
            stamp = timestamp_read(body, message, nonce)
        except InvalidValue as error:
            raise AnchorFailed(f"{self.url}: {error}") from None
        return _record("timestamp", self.url, point, b64encode(body).decode(), stamp.at_ms)


def anchor(engine: "Engine", told: Anchor, caller: Caller) -> AnchorRecorded:
    """Seal the log, tell its last checkpoint, record what came back, and seal that.

    Raises AnchorFailed, InvalidValue, SealRefused, StorageError; unless it returns, nothing was recorded.
    """
    point = engine.seal()
    if point is None:
        raise AnchorFailed("the log is empty: there is nothing to anchor")
    event = told.tell(point, engine.evidence.tree().consistency)

    def record(tx: Transaction) -> None:
        tx.append_record(Tenant(), ANCHORS_STREAM, event)

    engine.ledger.transact(caller, record)
    engine.seal()
    return event


def _record(kind: str, name: str, point: StoredCheckpoint, evidence: str, at_ms: int | None) -> AnchorRecorded:
    size = parse_checkpoint(parse_note(point.note).text).size
    return AnchorRecorded.model_validate(
        {
            "kind": kind,
            "name": name,
            "size": size,
            "checkpoint": point.note,
            "evidence": evidence,
            "at_ms": at_ms,
        }
    )
