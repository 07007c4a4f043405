"""The key file: the Ed25519 key that signs checkpoints, and the public keys of those before it.

It lies with the user, not with the log: whoever can write a log need not be able to sign it, and a copy of a folder
with logs holds no key.
"""

import json
import os
import platform
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from secrets import token_bytes

from redrive.domain.errors import InvalidValue
from redrive.evidence.files import write_durably
from redrive.evidence.notes import Note, Signer, Verifier, is_key_name

OWNER_ONLY = 0o600


def default_key_file() -> Path:
    """Where a user's key lies: ``redrive/keys.json`` in the folder for settings (XDG_CONFIG_HOME, ~/.config)."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "redrive" / "keys.json"


@dataclass(frozen=True)
class Key:
    """A key of the file, the newest first. *private* is kept of the newest two only: both sign once after a
    rotation."""

    verifier: Verifier
    created_ms: int
    private: bytes | None

    @cached_property
    def signer(self) -> Signer | None:
        """Who signs with it; None when its private half is gone."""
        return None if self.private is None else Signer(self.verifier.name, self.private)


class KeyFile:
    """The keys in the file at *path*, none while there is no such file. What it holds is read when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def read(self) -> tuple[Key, ...]:
        """The keys, the newest first. Raises InvalidValue for a file that others may read, or that is no key file."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise InvalidValue("key_file", str(self.path), f"a readable file ({error})") from None
        if found.st_mode & 0o077:
            accepted = f"a file that only its owner may read: chmod 600 {self.path}"
            raise InvalidValue("key_file", str(self.path), accepted)
        seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        if seen != self._seen:
            self._keys, self._seen = _read(self.path), seen
        return self._keys

    def signers(self, last: Note | None) -> Sequence[Signer]:
        """Who signs the checkpoint after *last*: nobody without a key; after a rotation the old key and the new one,
        so that whoever trusts the old one may go on to the new."""
        keys = self.read()
        ids = {signature.key_id for signature in last.signatures} if last else set()
        newest = keys[:1]
        if len(keys) > 1 and keys[1].verifier.key_id in ids and keys[0].verifier.key_id not in ids:
            newest = (keys[1], keys[0])
        return [signer for key in newest if (signer := key.signer) is not None]

    def verifiers(self) -> Sequence[Verifier]:
        """The public keys, old ones too."""
        return [key.verifier for key in self.read()]

    def init(self, name: str, now_ms: int) -> Key:
        """Create the file with a first key. Raises InvalidValue when there is one already, or for a bad name."""
        if not is_key_name(name):
            raise InvalidValue("name", name, "a name without spaces, plus signs and control characters")
        key = _new(name, now_ms)
        try:
            write_durably(self.path, _document([key]), mode=OWNER_ONLY, new=True)
        except FileExistsError:
            accepted = "a file that is not there yet; redrive keys rotate changes the key"
            raise InvalidValue("key_file", str(self.path), accepted) from None
        except OSError as error:
            raise InvalidValue("key_file", str(self.path), f"a file that can be written ({error})") from None
        return key

    def rotate(self, now_ms: int) -> Key:
        """A new key signs from now on. The old one signs once more, and its public half is kept for ever.
        Raises InvalidValue where there is no key, or the file cannot be written."""
        keys = self.read()
        if not keys:
            raise InvalidValue("key_file", str(self.path), "a file with a key; redrive keys init creates it")
        key = _new(keys[0].verifier.name, now_ms)
        older = [Key(old.verifier, old.created_ms, None) for old in keys[1:]]
        try:
            write_durably(self.path, _document([key, keys[0], *older]), mode=OWNER_ONLY)
        except OSError as error:
            raise InvalidValue("key_file", str(self.path), f"a file that can be written ({error})") from None
        return key


def default_name() -> str:
    """The name of a key when nobody chose one: that of this host."""
    host = "".join(char for char in platform.node() if char.isalnum() or char in ".-_")
    return f"{host or 'localhost'}/redrive"


def _new(name: str, now_ms: int) -> Key:
    private = token_bytes(32)
    return Key(Signer(name, private).verifier, now_ms, private)


def _document(keys: Sequence[Key]) -> str:
    rows = [
        {
            "verifier": str(key.verifier),
            "created_ms": key.created_ms,
            "private": None if key.private is None else b64encode(key.private).decode(),
        }
        for key in keys
    ]
    return json.dumps({"schema": "redrive.keys/1", "keys": rows}, indent=2) + "\n"


def _read(path: Path) -> tuple[Key, ...]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["keys"]
        return tuple(_key(row["verifier"], row["created_ms"], row["private"]) for row in rows)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InvalidValue("key_file", str(path), f"a key file, as redrive keys init writes it ({error})") from None


def _key(verifier: str, created_ms: int, private: str | None) -> Key:
    key = Key(Verifier.parse(verifier), int(created_ms), None if private is None else b64decode(private, validate=True))
    if key.signer is not None and key.signer.verifier != key.verifier:
        raise ValueError("a private key is not that of its public key")
    return key
