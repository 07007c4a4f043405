"""The key of a subject: what it encrypts decrypts in its place only, what it marks cannot be guessed."""

import os

import pytest

from redrive.privacy.cipher import Cipher, aad_of, unwrap, wrap

PLACE = aad_of("run-1", 3, "run.note-added/1")


def test_what_was_encrypted_decrypts() -> None:
    """In its own place, with its own key."""
    cipher = Cipher(os.urandom(32))
    encrypted = cipher.encrypt(b"secret", PLACE)
    assert cipher.decrypt(encrypted, PLACE) == b"secret"
    assert b"secret" not in encrypted


@pytest.mark.parametrize(
    "place", [("run-2", 3, "run.note-added/1"), ("run-1", 4, "run.note-added/1"), ("run-1", 3, "x/1")]
)
def test_what_was_moved_does_not_decrypt(place: tuple[str, int, str]) -> None:
    """Another stream, another version, another topic."""
    cipher = Cipher(os.urandom(32))
    with pytest.raises(ValueError, match="does not decrypt"):
        cipher.decrypt(cipher.encrypt(b"secret", PLACE), aad_of(*place))


def test_what_was_changed_does_not_decrypt() -> None:
    """Any bit of it; or all but a few bytes of it gone; or another key."""
    cipher = Cipher(os.urandom(32))
    encrypted = bytearray(cipher.encrypt(b"secret", PLACE))
    encrypted[-1] ^= 1
    for wrong in (bytes(encrypted), b"", b"short", Cipher(os.urandom(32)).encrypt(b"secret", PLACE)):
        with pytest.raises(ValueError, match="encrypted payload"):
            cipher.decrypt(wrong, PLACE)


def test_no_nonce_comes_twice() -> None:
    """The same text in the same place is another ciphertext each time."""
    cipher = Cipher(os.urandom(32))
    assert len({cipher.encrypt(b"same", PLACE)[:12] for _ in range(1_000)}) == 1_000


def test_a_keyed_digest_is_equal_only_for_equal_digests_of_one_subject() -> None:
    """Who knows the digest, but not the key, cannot tell."""
    one, other = Cipher(b"1" * 32), Cipher(b"2" * 32)
    assert one.keyed("abc") == one.keyed("abc")
    assert len({one.keyed("abc"), one.keyed("abd"), other.keyed("abc"), "abc"}) == 4


def test_a_wrapped_key_needs_its_master_key() -> None:
    """And its own id: keys cannot be exchanged in the store."""
    wrapped = wrap(b"k" * 32, b"m" * 32, "id-1")
    assert unwrap(wrapped, b"m" * 32, "id-1") == b"k" * 32
    for master, key_id in ((b"n" * 32, "id-1"), (b"m" * 32, "id-2")):
        with pytest.raises(ValueError, match="another master key"):
            unwrap(wrapped, master, key_id)
