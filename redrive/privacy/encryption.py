"""Rows on their way into the log and out of it: payloads encrypted with the key of their subject.

An encrypted state begins with ``{"encrypted":``; it is an ordinary state whose payloads are placeholders and whose
digests are keyed, so that it decodes without any key. What belongs to one run (or to an effect outside
runs) is encrypted with the key that its first event was encrypted with, or not at all when that was not.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Any, Literal

import pydantic_core

from redrive.domain.errors import PayloadLocked
from redrive.domain.identity import StreamId, Tenant, derived_id
from redrive.domain.payloads import DESTROYED, ENCRYPTED, KEYED, paths_of, put_at, value_at
from redrive.domain.values import clean_name
from redrive.ledger.database import Row
from redrive.ledger.encrypting import begun_in
from redrive.ledger.mapper import NewRow, tenant_named
from redrive.ledger.recorder import LogRecorder
from redrive.privacy.cipher import Cipher, aad_of
from redrive.privacy.key_store import KeyStore

PREFIX = b'{"encrypted":'
_FIRST = "SELECT position, state FROM events WHERE originator_id = ? AND originator_version = 1"
_HAS = "SELECT 1 FROM events WHERE originator_id = ? LIMIT 1"
_MOST_KNOWN = 65_536

SubjectOf = Callable[[Tenant, str], str | None]
Key = Cipher | Literal["destroyed"] | None


def key_stream_of(key_id: str) -> StreamId:
    """The stream that says that a key is destroyed."""
    return StreamId(derived_id(Tenant(), "key", key_id))


class Encryption:
    """Encrypts and decrypts the rows of one log. It encrypts under the log's write lock."""

    def __init__(self, recorder: LogRecorder, keys: KeyStore, subject_of: SubjectOf, now_ms: Callable[[], int]) -> None:
        self.keys = keys
        self._recorder = recorder
        self._subject_of = subject_of
        self._now_ms = now_ms
        self._ciphers: dict[str, Key] = {}
        self._known: dict[str, str | None] = {}
        self._generation = 1

    def encrypt(self, rows: Sequence[NewRow], subject: str | None) -> list[NewRow]:
        """The rows as they are to be stored. *subject* is what the caller named for what begins here.

        Raises PayloadLocked where the key is not in the key store.
        """
        self._follow()
        begun = begun_in(rows)
        try:
            return [self._encrypted(row, self._key_of(row[5], begun, subject)) for row in rows]
        except BaseException:
            self.forget_begun()
            raise

    def decrypted(self, rows: list[Row]) -> list[Row]:
        """The rows as they were before, where the key is at hand. What does not decrypt is marked."""
        if not any(row[4].startswith(PREFIX) for row in rows if type(row[4]) is bytes):
            return rows
        self._follow()
        return [self._decrypted(row) if type(row[4]) is bytes and row[4].startswith(PREFIX) else row for row in rows]

    @property
    def generation(self) -> int:
        """Rises when keys may have gone: what was decoded before is not to be used any more."""
        self._follow()
        return self._generation

    @property
    def erasures(self) -> int | None:
        """How many keys are destroyed for good; None while one is being destroyed."""
        return self.keys.erasures()

    def forget_keys(self) -> None:
        """Look again which keys there are."""
        self._ciphers.clear()
        self._generation += 1

    def forget_begun(self) -> None:
        """What was encrypted is not written: what others begin by the same names may have other keys."""
        self._known.clear()

    def _follow(self) -> None:
        if self.keys.moved():
            self.forget_keys()

    def _key_of(self, correlation: str, begun: dict[str, NewRow], subject: str | None) -> str | None:
        if (first := begun.get(correlation)) is not None:
            found = self._key_for_new(first, subject)
        elif correlation in self._known:
            return self._known[correlation]
        else:
            found = self._key_of_first(correlation)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[correlation] = found
        return found

    def _key_of_first(self, correlation: str) -> str | None:
        """The key of the first event of what is in the log, wherever its state is by now."""
        recorder = self._recorder
        row = recorder.writer.execute(_FIRST, (correlation,)).fetchone()
        if row is None:
            return None
        position, state = row
        if state == b"" and (kept := recorder.shelf.kept([position], recorder.writer)):
            state = recorder.shelf.state(*kept[position])
        return key_of_state(state)

    def _key_for_new(self, row: NewRow, subject: str | None) -> str | None:
        if subject is None:
            tenant = tenant_named(row[4])
            automation = pydantic_core.from_json(row[3])["data"].get("automation") or ""
            subject = self._subject_of(tenant, automation)
            if subject is None:
                return None
        name = clean_name(subject, "subject")
        return self.keys.key_for(self.keys.subject_of(tenant_named(row[4]), name), self._now_ms())

    def _encrypted(self, row: NewRow, key_id: str | None) -> NewRow:
        fields = paths_of(row[2])
        if key_id is None:
            return row
        body = pydantic_core.from_json(row[3])
        payload = {path: value for path in fields.payload if (value := value_at(body, path)) is not None}
        digests = {path: value for path in fields.digests if (value := value_at(body, path)) is not None}
        if not payload and not digests:
            return row
        key = self._key(key_id)
        if key is None:
            raise PayloadLocked(row[0], key_id, self.keys.path)
        box: dict[str, Any] = {"key": key_id, "payload": list(payload), "digests": list(digests), "box": None}
        if isinstance(key, Cipher):
            plain = pydantic_core.to_json({**payload, **digests})
            box["box"] = base64.b64encode(key.encrypt(plain, aad_of(row[0], row[1], row[2]))).decode()
        for path in payload:
            put_at(body, path, ENCRYPTED)
        for path, digest in digests.items():
            put_at(body, path, key.keyed(str(digest)) if isinstance(key, Cipher) else KEYED)
        return *row[:3], pydantic_core.to_json({"encrypted": box, **body}), *row[4:]

    def _decrypted(self, row: Row) -> Row:
        try:
            body = pydantic_core.from_json(row[4])
            box = body.pop("encrypted")
            key = self._key(box["key"])
            if key is None:
                return row
            if key == "destroyed" or box["box"] is None:
                body["encrypted"] = "destroyed"
                for path in box["payload"]:
                    put_at(body, path, DESTROYED)
            else:
                sealed = base64.b64decode(box["box"], validate=True)
                opened = pydantic_core.from_json(key.decrypt(sealed, aad_of(row[1], row[2], row[3])))
                for path, value in opened.items():
                    put_at(body, path, value)
            state = pydantic_core.to_json(body)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            state = pydantic_core.to_json({"encrypted": f"damaged: {error}", "id": _id_in(row[4])})
        return (*row[:4], state, *row[5:])

    def _key(self, key_id: str) -> Key:
        if key_id not in self._ciphers:
            key = self.keys.cipher(key_id)
            if isinstance(key, Cipher) and self._is_gone(key_id):  # the key store is an older copy
                self.keys.destroy(key_id, self._now_ms())
                key = "destroyed"
            self._ciphers[key_id] = key
        return self._ciphers[key_id]

    def _is_gone(self, key_id: str) -> bool:
        """Whether the log says that the key was destroyed."""
        return self._recorder.reader().execute(_HAS, (key_stream_of(key_id),)).fetchone() is not None


def key_of_state(state: bytes) -> str | None:
    """The id of the key that a stored state is encrypted with; None when it is not encrypted."""
    if not state.startswith(PREFIX):
        return None
    try:
        return str(pydantic_core.from_json(state)["encrypted"]["key"])
    except (ValueError, TypeError, LookupError):
        return None


def _id_in(state: bytes) -> str:
    """The id of an event whose state is encrypted."""
    try:
        return str(pydantic_core.from_json(state).get("id", ""))
    except (ValueError, AttributeError):
        return ""
