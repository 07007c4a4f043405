"""What a bundle proves depends on what its reader knows from elsewhere; its own key proves nothing."""

import hashlib
import json
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from redrive.evidence import verify
from redrive.evidence.bundle.archive import canonical_line
from redrive.evidence.notes import COSIGNATURE, Checkpoint, Signature, Signer, cosigned, parse_checkpoint, parse_note
from tests.evidence.bundles import Files, exported, files_of, note_of, packed, verdicts
from tests.evidence.sealed import Sealed

EVIL = Signer("test.example/log", b"e" * 32)
WITNESS = Signer("witness.example", b"w" * 32)


@pytest.fixture(scope="module")
def files(template: Path) -> Iterator[Files]:
    """A bundle of two events, with a proof that the log grew from its first checkpoint."""
    with Sealed(template).open() as engine:
        yield files_of(exported(engine, positions=(20, 21), since=engine.evidence.store.checkpoints(0, 1)[0].note))


@pytest.fixture(scope="module")
def key(template: Path) -> str:
    """The log's verifier key, known from elsewhere."""
    return str(Sealed(template).keys.verifiers()[0])


def checkpoint_in(files: Files, name: str = "checkpoint") -> Checkpoint:
    """One of its checkpoints."""
    return parse_checkpoint(parse_note(files[name]).text)


def with_note(files: Files, note: bytes, keys: list[str]) -> bytes:
    """The bundle under another note of a checkpoint, with *keys* as its own."""
    found = checkpoint_in(files | {"checkpoint": note})
    told = json.loads(files["bundle.json"]) | {"size": found.size, "root": b64encode(found.root).decode()}
    proofs = {
        name: data.partition(b"\n\n")[0] + b"\n\n" + note for name, data in files.items() if name.startswith("proofs/")
    }
    mine = {"checkpoint": note, "bundle.json": canonical_line(told), "policy.json": canonical_line({"keys": [*keys]})}
    return packed(files | proofs | mine)


@pytest.mark.parametrize(
    ("ms", "told"),
    [(1_795_348_800_007, "2026-11-22T12:00:00.007Z"), (0, "1970-01-01T00:00:00.000Z"), (2**62, f"{2**62} ms")],
)
def test_times_are_told_for_people(ms: int, told: str) -> None:
    """Also those that no calendar holds: logs of simulations have any."""
    assert verify.moment(ms) == told


def test_a_bundle_that_another_key_signed_is_not_verified(files: Files, key: str, tmp_path: Path) -> None:
    """It agrees with itself, and bears the name of the log; by the real key it is not signed."""
    note = note_of(checkpoint_in(files), EVIL)
    other = with_note(files, note, [str(EVIL.verifier)])
    assert verdicts(other, tmp_path) == {"SELF-CONSISTENT"}
    assert verdicts(other, tmp_path, [key]) == {"INCOMPLETE"}
    assert verdicts(other, tmp_path, [str(EVIL.verifier)]) == {"VERIFIED"}


def test_a_signature_that_was_moved_to_another_tree_is_found(files: Files, key: str, tmp_path: Path) -> None:
    """The log's own signature, over another root."""
    note, found = parse_note(files["checkpoint"]), checkpoint_in(files)
    moved = replace(note, text=replace(found, root=hashlib.sha256().digest()).text())
    assert verdicts(with_note(files, str(moved).encode(), []), tmp_path, [key]) == {"TAMPERED"}


def test_whatever_the_bundle_says_its_keys_are_one_of_them_must_have_signed(files: Files, tmp_path: Path) -> None:
    """A bundle without any is no less self-consistent; its key file was only a hint."""
    note = files["checkpoint"]
    assert verdicts(with_note(files, note, [str(EVIL.verifier)]), tmp_path) == {"TAMPERED"}
    assert verdicts(with_note(files, note, ["nonsense"]), tmp_path) == {"TAMPERED"}
    assert verdicts(with_note(files, note, []), tmp_path) == {"SELF-CONSISTENT"}


def test_pins(files: Files, key: str, tmp_path: Path) -> None:
    """The same tree, an earlier one with a proof, one without, a later one, and others."""
    bundle, now, then = packed(files), checkpoint_in(files), checkpoint_in(files, "since.checkpoint")
    assert verdicts(bundle, tmp_path, [], [now.text()]) == {"VERIFIED"}
    assert verdicts(bundle, tmp_path, [key], [then.text(), now.text()]) == {"VERIFIED"}
    assert verdicts(bundle, tmp_path, [key], [replace(now, size=now.size - 1).text()]) == {"INCOMPLETE"}
    assert verdicts(bundle, tmp_path, [key], [replace(now, size=now.size + 1).text()]) == {"STALE"}
    for other in (replace(now, root=then.root), replace(then, root=now.root), replace(now, origin="redrive/other")):
        assert verdicts(bundle, tmp_path, [key], [other.text()]) == {"TAMPERED"}


def test_a_pin_stands_for_what_it_has_seen_only(template: Path, key: str, tmp_path: Path) -> None:
    """From there, whoever can write the log can go on as he likes, without any key: it is not said to be verified."""
    with Sealed(template).open() as engine:
        kept = engine.evidence.store.checkpoints(0, 1)[0].note
        for positions, expected in (
            ((20, 21), "VERIFIED"),
            ((70, 72), "SELF-CONSISTENT"),
            ((72, 73), "SELF-CONSISTENT"),
        ):
            later = files_of(exported(engine, positions=positions, since=kept))
            now, then = checkpoint_in(later), checkpoint_in(later, "since.checkpoint")
            unsigned = with_note(later, note_of(now), [])
            assert verdicts(unsigned, tmp_path, [], [then.text()]) == {expected}
            assert verdicts(packed(later), tmp_path, [], [then.text()]) == {expected}
            assert verdicts(unsigned, tmp_path, [], [then.text(), now.text()]) == {"VERIFIED"}
            assert verdicts(packed(later), tmp_path, [key], [then.text()]) == {"VERIFIED"}


def test_a_history_that_was_rewritten_contradicts_its_pin(files: Files, tmp_path: Path) -> None:
    """Also when the attacker has stolen the key: what was pinned is not what the tree grew from."""
    other = packed(
        files | {"since.checkpoint": note_of(replace(checkpoint_in(files, "since.checkpoint"), root=b"x" * 32))}
    )
    assert verdicts(other, tmp_path) == {"TAMPERED"}
    without = {name: data for name, data in files.items() if "since" not in name and "consistency" not in name}
    pin = checkpoint_in(files, "since.checkpoint").text()
    assert verdicts(packed(without), tmp_path, [], [pin]) == {"INCOMPLETE"}


def test_witnesses(files: Files, key: str, tmp_path: Path) -> None:
    """A cosignature counts when its key is given, and only if it is one."""
    note = parse_note(files["checkpoint"])
    public = replace(WITNESS.verifier, algorithm=COSIGNATURE)
    stamp = (1_800_000_000).to_bytes(8, "big")
    good = WITNESS.sign(cosigned(note.text, 1_800_000_000).decode()).data
    for data, expected in ((stamp + good, "VERIFIED"), (bytes(8) + good, "TAMPERED"), (good, "TAMPERED")):
        more = replace(note, signatures=(*note.signatures, Signature(public.name, public.key_id, data)))
        bundle = with_note(files, str(more).encode(), [key])
        assert verdicts(bundle, tmp_path, [key, str(public)]) == {expected}
        assert verdicts(bundle, tmp_path, [key]) == {"VERIFIED"}
    assert verdicts(packed(files), tmp_path, [key, str(public)]) == {"INCOMPLETE"}


def alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``verify.py`` in a folder of its own, where there is no redrive."""
    script = shutil.copy(verify.__file__, folder / "verify.py")
    barred = "import sys\nsys.modules['redrive'] = None\nsys.argv = sys.argv[1:]\nexec(open(sys.argv[0]).read())"
    code = f"__file__ = {str(script)!r}\n{barred}"
    command = [sys.executable, "-I", "-c", code, str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=240)


def test_it_is_verified_where_there_is_no_redrive(files: Files, key: str, tmp_path: Path) -> None:
    """In an isolated interpreter that cannot import it, by key, by a file of keys, and by pin."""
    (tmp_path / "case.tar").write_bytes(packed(files))
    (tmp_path / "keys").write_text(f"{key}\n")
    (tmp_path / "pin").write_bytes(files["since.checkpoint"])
    for trusted in (["--key", key], ["--key", "keys"], ["--pin", "pin"], ["--key", key, "--pin", "pin"]):
        found = alone(tmp_path, "case.tar", *trusted)
        assert (found.returncode, found.stdout.splitlines()[-1], found.stderr) == (0, "RESULT       VERIFIED", "")
    found = alone(tmp_path, "case.tar")
    assert (found.returncode, found.stdout.splitlines()[-1]) == (2, "RESULT       SELF-CONSISTENT")


def test_no_input_gives_a_traceback(files: Files, tmp_path: Path) -> None:
    """Missing files, folders, keys and pins that are none: a sentence, and an exit code that means no result."""
    (tmp_path / "case.tar").write_bytes(packed(files))
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    asked: list[list[str]] = [[], ["nothing"], ["."], ["case.tar", "--key", "a+b+c"], ["case.tar", "--key", "noise"]]
    for given in (*asked, ["case.tar", "--pin", "noise"], ["case.tar", "--pin", "."], ["case.tar", "--bogus"]):
        found = alone(tmp_path, *given)
        assert found.returncode == verify.UNREADABLE, given
        assert found.stderr.startswith("verify.py: "), given
        assert "Traceback" not in found.stderr
    found = alone(tmp_path, "noise")
    assert (found.returncode, found.stdout.splitlines()[-1], found.stderr) == (1, "RESULT       TAMPERED", "")


def test_the_bundle_carries_the_verifier_that_was_tested(files: Files) -> None:
    """Byte for byte."""
    assert files["verify.py"] == Path(verify.__file__).read_bytes()
