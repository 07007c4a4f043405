"""Checkpoints as C2SP tlog-checkpoints in C2SP signed notes, and the Ed25519 keys that sign and verify them.

https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint, https://c2sp.org/tlog-cosignature. Without a key, a
checkpoint is the note's text alone: it says what the tree was, and nobody vouches for it.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from redrive.domain.errors import InvalidValue

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519, COSIGNATURE = 0x01, 0x04
MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
_DASH = "— "
_NEXT_KEY = "next-key "
_MOST_TIME = 1 << 63
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


class Signature(NamedTuple):
    """One signature line: the key's name, its 4-byte id, and the bytes that follow."""

    name: str
    key_id: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the signatures beneath it; none when nobody signed."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def __str__(self) -> str:
        lines = [f"{_DASH}{name} {b64encode(key_id + data).decode()}\n" for name, key_id, data in self.signatures]
        return self.text + ("\n" + "".join(lines) if lines else "")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the tree was: *origin* names the log, *size* counts its leaves."""

    origin: str
    size: int
    root: bytes

    def text(self, next_key: "Verifier | None" = None) -> str:
        """The text of its note. With *next_key*, it also says whose signatures are to be trusted from now on: whoever
        signs the text vouches for that key."""
        more = "" if next_key is None else f"{_NEXT_KEY}{next_key}\n"
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n{more}"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key that is trusted under its name. *algorithm* is ED25519, or COSIGNATURE for a witness's."""

    name: str
    public: bytes
    algorithm: int = ED25519

    @property
    def key_id(self) -> bytes:
        """The id by which signature lines name it."""
        return sha256(self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64encode(bytes([self.algorithm]) + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """The key of a verifier key string, ``name+hex key id+base64``. Raises InvalidValue."""
        accepted = "a verifier key, name+8 hex digits+base64, of an Ed25519 key or of a witness"
        if not isinstance(text, str):
            raise InvalidValue("key", text, accepted)
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        raw = _exact_base64(encoded)
        if not is_key_name(name) or raw is None or len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE):
            raise InvalidValue("key", text, accepted)
        found = cls(name, raw[1:], raw[0])
        if found.key_id.hex() != key_id:
            raise InvalidValue("key", text, f"a verifier key whose id is that of its bytes ({found.key_id.hex()})")
        return found

    def verifies(self, text: str, data: bytes) -> bool:
        """Whether *data*, of a signature line, is this key's signature of *text*."""
        if self.algorithm == ED25519:
            return _is_signed(self.public, data, text.encode())
        stamp, signature = int.from_bytes(data[:8], "big"), data[8:]
        return len(data) == 72 and stamp < _MOST_TIME and _is_signed(self.public, signature, cosigned(text, stamp))


class Signer:
    """A key that signs under its name. *private* are the 32 bytes of an Ed25519 seed."""

    def __init__(self, name: str, private: bytes) -> None:
        self.name, self._private = name, private

    def __repr__(self) -> str:
        return f"Signer({self.name!r}, …)"

    @cached_property
    def _key(self) -> "Ed25519PrivateKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._private)

    @cached_property
    def verifier(self) -> Verifier:
        """Its public key."""
        return Verifier(self.name, self._key.public_key().public_bytes_raw())

    def sign(self, text: str) -> Signature:
        """Its signature of a note's *text*."""
        return Signature(self.name, self.verifier.key_id, self._key.sign(text.encode()))


def is_key_name(name: str) -> bool:
    """Whether *name* may be that of a key: some text without spaces, plus signs and control characters."""
    return bool(name) and name.isprintable() and "+" not in name and not any(char.isspace() for char in name)


def cosigned(text: str, time_s: int) -> bytes:
    """What a witness signs: the checkpoint as of a time, in seconds (cosignature/v1)."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def signed(text: str, signers: Sequence[Signer]) -> Note:
    """The note of *text* with the signatures of *signers*."""
    return Note(text, tuple(signer.sign(text) for signer in signers))


def parse_note(raw: str | bytes) -> Note:
    """A signed note, or a text nobody signed, read strictly. Nothing is verified. Raises InvalidValue."""
    text = _decoded(raw)
    body, blank, lines = text.rpartition("\n\n")
    if not blank:
        if _DASH in (line[:2] for line in text.split("\n")):
            raise _bad(text, "an empty line between its text and its signatures")
        return Note(text)
    found = lines.split("\n")[:-1]
    if not 0 < len(found) <= MAX_SIGNATURES:
        raise _bad(text, f"1 to {MAX_SIGNATURES} signatures after its text")
    return Note(body + "\n", tuple(parse_signature(line) for line in found))


def parse_signature(line: str) -> Signature:
    """One signature line, without its newline. Raises InvalidValue."""
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    raw = _exact_base64(encoded)
    if not line.startswith(_DASH) or not space or not is_key_name(name) or raw is None or len(raw) < 5:
        raise _bad(line, f"signature lines of the form {_DASH}name base64")
    return Signature(name, raw[:4], raw[4:])


def verified_by(note: Note, verifiers: Sequence[Verifier]) -> list[Verifier]:
    """Those of *verifiers* who signed *note*. Signatures of unknown keys are ignored.

    Raises InvalidValue when a signature claims to be a known key's and is not.
    """
    found: list[Verifier] = []
    for signature in note.signatures:
        for verifier in verifiers:
            if (verifier.name, verifier.key_id) != (signature.name, signature.key_id) or verifier in found:
                continue
            if not verifier.verifies(note.text, signature.data):
                raise _bad(str(note), f"a signature that {verifier.name} made")
            found.append(verifier)
    return found


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint of a note's text; further lines are extensions, and ignored. Raises InvalidValue."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise _bad(text, "three lines or more: origin, size, root")
    origin, size, encoded = lines[:3]
    root = _exact_base64(encoded)
    if not (size.isascii() and size.isdigit() and str(int(size[:20])) == size) or int(size) >= 1 << 63:
        raise _bad(text, "a decimal size")
    if root is None or len(root) != 32:
        raise _bad(text, "a root of 32 bytes in base64")
    return Checkpoint(origin, int(size), root)


def next_key_of(text: str) -> Verifier | None:
    """The key that a checkpoint's text hands over to. Raises InvalidValue."""
    lines = [line for line in text.split("\n")[3:] if line.startswith(_NEXT_KEY)]
    return Verifier.parse(lines[0].removeprefix(_NEXT_KEY)) if lines else None


def names_of(raw: str) -> list[str]:
    """Whose signatures a stored note bears, by their own account; none for what is no note."""
    try:
        return list(dict.fromkeys(signature.name for signature in parse_note(raw).signatures))
    except InvalidValue:
        return []


def cosignature_time_s(signature: Signature) -> int:
    """When a witness signed, by its own clock."""
    return int.from_bytes(signature.data[:8], "big")


def _decoded(raw: str | bytes) -> str:
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        size = len(text.encode())
    except UnicodeError:
        raise _bad(ascii(raw[:60]), "UTF-8") from None
    if size > MAX_NOTE_BYTES:
        raise _bad(text[:60], f"at most {MAX_NOTE_BYTES} bytes")
    if _CONTROL.search(text):
        raise _bad(text, "no control characters")
    if not text.endswith("\n"):
        raise _bad(text, "a newline at its end")
    return text


def _exact_base64(text: str) -> bytes | None:
    """The bytes of *text*; None unless it is exactly their standard encoding."""
    try:
        raw = b64decode(text, validate=True)
    except ValueError:  # binascii.Error, or characters beyond ASCII
        return None
    return raw if b64encode(raw).decode() == text else None


def _is_signed(public: bytes, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _bad(value: str, accepted: str) -> InvalidValue:
    return InvalidValue("note", value, accepted)
