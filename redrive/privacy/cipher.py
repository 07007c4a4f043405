"""What one subject's key does: AES-256-GCM for payloads, HMAC-SHA-256 for the digests of payloads.

Both keys are derived from the data key by HMAC-SHA-256, so that neither says anything about the other. Nonces are 96
random bits: NIST SP 800-38D allows 2^32 messages per key with them, that is four billion events of one subject.
"""

import hashlib
import hmac
import json
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from redrive.domain.payloads import KEYED

KEY_BYTES = 32
NONCE_BYTES = 12


class Cipher:
    """The key of one subject, ready for use."""

    def __init__(self, data_key: bytes) -> None:
        assert len(data_key) == KEY_BYTES
        self._aes = AESGCM(_derived(data_key, b"redrive payload/v1"))
        self._mac_key = _derived(data_key, b"redrive digest/v1")

    def encrypt(self, payload: bytes, aad: bytes) -> bytes:
        """A nonce and the ciphertext, which decrypts only together with *aad*."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aes.encrypt(nonce, payload, aad)

    def decrypt(self, encrypted: bytes, aad: bytes) -> bytes:
        """The payload. Raises ValueError when the bytes, or what they belong to, were changed."""
        if len(encrypted) < NONCE_BYTES:
            raise ValueError("its encrypted payload is cut off")
        try:
            return self._aes.decrypt(encrypted[:NONCE_BYTES], encrypted[NONCE_BYTES:], aad)
        except InvalidTag:
            raise ValueError(
                "its encrypted payload does not decrypt: it was changed, or moved from another event"
            ) from None

    def keyed(self, digest: str) -> str:
        """A digest that nobody without the key can compare with a guess; equal for equal digests."""
        return KEYED + hmac.new(self._mac_key, digest.encode(), hashlib.sha256).hexdigest()


def aad_of(stream: str, version: int, topic: str) -> bytes:
    """What a ciphertext is bound to: the place of its event in the log."""
    return json.dumps(["redrive-payload/v1", stream, version, topic]).encode()


def wrap(data_key: bytes, master: bytes, key_id: str) -> bytes:
    """A data key under a master key."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(master).encrypt(nonce, data_key, key_id.encode())


def unwrap(wrapped: bytes, master: bytes, key_id: str) -> bytes:
    """The data key. Raises ValueError for another master key."""
    try:
        return AESGCM(master).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_id.encode())
    except InvalidTag:
        raise ValueError("it was wrapped by another master key") from None


def _derived(data_key: bytes, purpose: bytes) -> Any:
    return hmac.new(data_key, purpose, hashlib.sha256).digest()
