"""The key file: who may read it, what a rotation keeps, and how trust is carried on."""

from pathlib import Path

import pytest

import redrive
from redrive.domain.errors import InvalidValue, RedriveError
from redrive.evidence.keys import KeyFile, default_key_file, default_name
from redrive.evidence.notes import is_key_name, next_key_of, parse_note, verified_by
from tests.evidence.sealed import FLOW, Sealed


def test_a_new_key_is_for_its_owner_only(tmp_path: Path) -> None:
    """Mode 0600 from its first byte on, and never overwritten."""
    file = KeyFile(tmp_path / "deep" / "keys.json")
    assert file.read() == ()
    key = file.init("ana", 7)
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.read() == (key,)
    with pytest.raises(InvalidValue, match="rotate"):
        file.init("ana", 8)
    assert file.read() == (key,)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    """With what to do about it."""
    file = KeyFile(tmp_path / "keys.json")
    file.init("ana", 7)
    file.path.chmod(mode)
    with pytest.raises(InvalidValue, match="chmod 600"):
        file.read()


@pytest.mark.parametrize("content", ["", "{}", '{"keys": [1]}', '{"keys": [{"verifier": "a"}]}', "\x00"])
def test_what_is_no_key_file_is_refused(tmp_path: Path, content: str) -> None:
    """A sentence, no traceback."""
    file = KeyFile(tmp_path / "keys.json")
    file.path.write_text(content)
    file.path.chmod(0o600)
    with pytest.raises(InvalidValue, match="key file"):
        file.read()


def test_a_private_key_of_another_is_refused(tmp_path: Path) -> None:
    """Signatures would verify by no key that anybody knows."""
    one, two = KeyFile(tmp_path / "1"), KeyFile(tmp_path / "2")
    key, other = one.init("ana", 1), two.init("ana", 1)
    one.path.write_text(one.path.read_text().replace(str(key.verifier), str(other.verifier)))
    with pytest.raises(InvalidValue, match="key file"):
        one.read()


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n"])
def test_a_name_that_no_note_can_bear_is_refused(tmp_path: Path, name: str) -> None:
    """Names stand in signature lines."""
    with pytest.raises(InvalidValue, match="name"):
        KeyFile(tmp_path / "keys.json").init(name, 1)


def test_after_a_rotation_old_and_new_sign_once(sealed: Sealed) -> None:
    """Whoever trusts the old key learns the new one from a checkpoint that both signed."""
    (old,) = sealed.keys.read()
    new = sealed.keys.rotate(8)
    signed_by = []
    with sealed.open() as engine:
        for number in range(2):
            engine.local.submit(FLOW, automation="later", key=str(number))
            point = engine.seal()
            assert point is not None
            signed_by.append(verified_by(parse_note(point.note), sealed.keys.verifiers()))
        handing_over = parse_note(engine.evidence.store.checkpoints(0, 99)[-2].note)
    assert signed_by == [[old.verifier, new.verifier], [new.verifier]]
    assert next_key_of(handing_over.text) == new.verifier


def test_rotations_keep_every_public_key_and_two_private_ones(tmp_path: Path) -> None:
    """Old checkpoints stay verifiable; an old private key is worth nothing to a thief."""
    file = KeyFile(tmp_path / "keys.json")
    with pytest.raises(InvalidValue, match="init"):
        file.rotate(1)
    made = [file.init("ana", 1), file.rotate(2), file.rotate(3)]
    assert [key.verifier for key in file.read()] == [key.verifier for key in made[::-1]]
    assert [key.private is None for key in file.read()] == [False, False, True]


def test_where_keys_lie_when_nobody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the user's settings, not with the log."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "/x")
    assert str(default_key_file()) == "/x/redrive/keys.json"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert default_key_file() == Path.home() / ".config" / "redrive" / "keys.json"
    assert is_key_name(default_name())


def test_a_key_file_that_is_refused_makes_no_log(tmp_path: Path) -> None:
    """It is not there, or others may use it."""
    for mode in (None, 0o644):
        if mode is not None:
            KeyFile(tmp_path / "keys.json").init("ana", 7)
            (tmp_path / "keys.json").chmod(mode)
        with pytest.raises(RedriveError):
            redrive.open(f"sqlite:///{tmp_path / 'log.db'}", key_file=tmp_path / "keys.json")
        assert not (tmp_path / "log.db").exists()
    (tmp_path / "keys.json").chmod(0o600)
    redrive.open(f"sqlite:///{tmp_path / 'log.db'}", key_file=tmp_path / "keys.json").close()
