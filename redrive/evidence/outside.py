"""What lies outside of the database, or came back from there: pins, kept checkpoints, witnesses, timestamps."""

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from redrive.domain.errors import InvalidValue, SealRefused
from redrive.domain.event import Recorded
from redrive.domain.records import AnchorRecorded
from redrive.evidence.notes import (
    Checkpoint,
    Note,
    Verifier,
    cosignature_time_s,
    parse_checkpoint,
    parse_note,
    verified_by,
)
from redrive.evidence.pins import PinFile
from redrive.evidence.report import AnchorCheck
from redrive.evidence.timestamps import timestamp_read

Roots = dict[int, bytes]


@dataclass(frozen=True, slots=True)
class Claim:
    """A checkpoint that somebody holds against the log. *position*: after which event it was recorded, if it was."""

    kind: str
    name: str
    checkpoint: Checkpoint
    trusted: bool
    at_ms: int | None = None
    position: int | None = None
    detail: str = ""

    def check(self, origin: str, size: int, roots: Roots) -> AnchorCheck:
        """Whether the log, of *size* leaves with these *roots*, is the one that was seen."""
        seen = self.checkpoint
        agrees: bool | None = self.trusted or None
        detail = self.detail or ("" if self.trusted else "not trusted by the policy: nothing follows from it")
        if seen.origin != origin:
            agrees, detail = (False if self.trusted else None), f"it is of another log, {seen.origin}"
        elif not seen.size:
            agrees, detail = None, "the log was empty then: nothing follows from it"
        elif seen.size > size:
            detail = f"it knows {seen.size} leaves, the log has {size}: the log was cut, or an old copy was restored"
            agrees = False
        elif roots.get(seen.size) != seen.root:
            agrees, detail = False, f"the first {seen.size} leaves are others than those that it saw"
        return AnchorCheck(
            kind=self.kind, name=self.name, size=seen.size, agrees=agrees, detail=detail, at_ms=self.at_ms
        )


def pinned(path: Path) -> Claim:
    """What is pinned. Raises InvalidValue for a pin file that is not there, or makes no sense."""
    try:
        found = PinFile(path).read()
    except SealRefused as error:
        raise InvalidValue("pin_file", str(path), f"a pin file ({error})") from None
    if found is None:
        raise InvalidValue("pin_file", str(path), "a pin file that is there")
    return Claim("pin", str(path), found, trusted=True)


def kept(path: Path, witnesses: Sequence[Verifier]) -> list[Claim]:
    """A checkpoint that whoever verifies has kept, and the witnesses that signed it. Raises InvalidValue."""
    try:
        note = parse_note(path.read_bytes())
        point = parse_checkpoint(note.text)
    except OSError as error:
        raise InvalidValue("checkpoint", str(path), f"a readable file ({error})") from None
    return [Claim("checkpoint", str(path), point, trusted=True), *_witnessed(note, point, witnesses, None)]


def recorded(events: Sequence[Recorded], witnesses: Sequence[Verifier]) -> tuple[list[Claim], list[str]]:
    """What the anchors in the log say, and what is wrong with some of them."""
    claims: list[Claim] = []
    wrong: list[str] = []
    for event in events:
        body = event.event
        if not isinstance(body, AnchorRecorded):
            continue
        try:
            claims += _recorded(event, body, witnesses)
        except InvalidValue as error:
            wrong.append(f"the anchor at position {event.position} makes no sense: {error}")
    return claims, wrong


def _recorded(event: Recorded, body: AnchorRecorded, witnesses: Sequence[Verifier]) -> list[Claim]:
    note = parse_note(body.checkpoint)
    point = parse_checkpoint(note.text)
    match body.kind:
        case "witness":
            whole = parse_note(f"{note.text}\n{body.evidence}")
            found = _witnessed(whole, point, witnesses, event.position)
            return found or [Claim("witness", body.name, point, False, body.at_ms, event.position)]
        case "timestamp":
            stamp = timestamp_read(b64decode(body.evidence), str(note).encode())
            detail = "the authority's signature is not checked here: use openssl ts -verify"
            return [Claim("timestamp", body.name, point, False, stamp.at_ms, event.position, detail)]
        case _:
            return [Claim(body.kind, body.name, point, False, body.at_ms, event.position)]


def _witnessed(note: Note, point: Checkpoint, witnesses: Sequence[Verifier], position: int | None) -> list[Claim]:
    times = {signature.key_id: cosignature_time_s(signature) * 1_000 for signature in note.signatures}
    return [
        Claim("witness", key.name, point, True, times[key.key_id], position) for key in verified_by(note, witnesses)
    ]
