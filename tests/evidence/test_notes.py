"""Signed notes and checkpoints, as C2SP has them."""

import base64

import pytest

from redrive.domain.errors import InvalidValue
from redrive.evidence.notes import (
    COSIGNATURE,
    Checkpoint,
    Note,
    Signer,
    Verifier,
    cosigned,
    parse_checkpoint,
    parse_note,
    signed,
    verified_by,
)

GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ANA, BEN = Signer("ana.example", b"a" * 32), Signer("ben.example", b"b" * 32)
POINT = Checkpoint("redrive/7", 12, bytes(range(32)))


def test_the_published_example_of_go_verifies() -> None:
    """Ours is the format of golang.org/x/mod/sumdb/note."""
    key = Verifier.parse(GO_KEY)
    note = parse_note(GO_NOTE)
    assert (str(key), str(note), verified_by(note, [key])) == (GO_KEY, GO_NOTE, [key])


def test_any_changed_byte_of_the_text_is_refused() -> None:
    """A known key's signature that does not fit is not skipped."""
    key, end = Verifier.parse(GO_KEY), GO_NOTE.index("\n\n")
    for at in range(end):
        changed = GO_NOTE[:at] + ("x" if GO_NOTE[at] != "x" else "y") + GO_NOTE[at + 1 :]
        with pytest.raises(InvalidValue):
            verified_by(parse_note(changed), [key])


def test_any_changed_byte_of_the_signature_is_refused() -> None:
    """What does not fit the key is refused; what fits no known key is nobody's."""
    key, note = Verifier.parse(GO_KEY), parse_note(GO_NOTE)
    (name, key_id, data) = note.signatures[0]
    for at in range(len(data)):
        wrong = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(InvalidValue):
            verified_by(Note(note.text, (note.signatures[0]._replace(data=wrong),)), [key])
    for other in (note.signatures[0]._replace(name="x"), note.signatures[0]._replace(key_id=b"1234")):
        assert verified_by(Note(note.text, (other,)), [key]) == []
    assert (name, key_id) == (key.name, key.key_id)


def test_two_sign_and_each_is_known_by_its_key() -> None:
    """After a rotation, old and new sign once together."""
    note = parse_note(str(signed(POINT.text(), [ANA, BEN])))
    assert verified_by(note, [BEN.verifier, ANA.verifier]) == [ANA.verifier, BEN.verifier]
    assert verified_by(note, [BEN.verifier]) == [BEN.verifier]
    assert verified_by(note, []) == []


def test_a_witness_signs_with_its_time() -> None:
    """cosignature/v1: the time is part of what is signed."""
    witness = Verifier("w.example", ANA.verifier.public, COSIGNATURE)
    data = (1_700_000_000).to_bytes(8, "big") + Signer("", b"a" * 32).sign(
        cosigned(POINT.text(), 1_700_000_000).decode()
    ).data
    assert witness.verifies(POINT.text(), data)
    assert not witness.verifies(POINT.text(), b"\x00" * 8 + data[8:])
    assert not ANA.verifier.verifies(POINT.text(), data)
    assert Verifier.parse(str(witness)) == witness


def test_an_unsigned_checkpoint_is_its_text() -> None:
    """Without a key nobody vouches, and the note shows it."""
    note = signed(POINT.text(), [])
    assert str(note) == POINT.text()
    assert parse_note(str(note)) == note
    assert parse_checkpoint(note.text) == POINT


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "a",
        "a\tb\n",
        "a\r\n",
        b"\xff\n",
        "a\n\n",
        "a\n\n— ana AAAA\n",
        "a\n\n— ana AAAAAAA\n",
        "a\n\n— ana AAAAAAA==\n",
        "a\n\n— ana AAAAAAB=\n",
        "a\n\n—  AAAAAAA=\n",
        "a\n\n- ana AAAAAAA=\n",
        "a\n\n— a+b AAAAAAA=\n",
        "a\n\n— ana AAAAAAA=",
        "a\n— ana AAAAAAA=\n",
        "a\n\n— ana AAAAAAA=\n\n",
        "a\n\n" + "— ana AAAAAAA=\n" * 101,
        "a" * 1_000_001 + "\n",
    ],
)
def test_what_is_no_note_is_refused(raw: str | bytes) -> None:
    """Two parsers must never read two things in one text."""
    with pytest.raises(InvalidValue):
        parse_note(raw)


@pytest.mark.parametrize(
    "text",
    ["", "o\n1\n", "o\n01\n{r}\n", "o\n-1\n{r}\n", "o\n1\n{s}\n", "\n1\n{r}\n", "o\n1\n{r}\n\nx\n", "o\n٣\n{r}\n"],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    """Sizes have one spelling, roots have 32 bytes."""
    root, short = (base64.b64encode(b"r" * count).decode() for count in (32, 31))
    with pytest.raises(InvalidValue):
        parse_checkpoint(text.format(r=root, s=short))


@pytest.mark.parametrize(
    "key", ["", "ana", GO_KEY[:-1], GO_KEY.replace("c7", "c8"), GO_KEY.replace("+A", "+B"), "a b+00+AA", 7, None]
)
def test_what_is_no_verifier_key_is_refused(key: object) -> None:
    """The id in a key string is that of its bytes."""
    with pytest.raises(InvalidValue, match="verifier key"):
        Verifier.parse(key)  # type: ignore[arg-type]


def test_a_signer_does_not_show_its_key() -> None:
    """Private bytes reach no log line."""
    assert "aaaa" not in repr(ANA)
