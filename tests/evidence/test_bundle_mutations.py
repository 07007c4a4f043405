"""Whatever is changed in a bundle is found, or was never claimed; and both verifiers say the same of it."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from redrive.evidence.bundle.archive import canonical_line
from tests.evidence.bundles import (
    Files,
    entries_of,
    evidence_in,
    exported,
    files_of,
    packed,
    verdicts,
    with_entries,
)
from tests.evidence.sealed import Sealed

pytestmark = pytest.mark.slow
DECLARED = {"VERIFY.md", "verify.py"}
PARTS = [0, *(pytest.param(part, marks=pytest.mark.long) for part in range(1, 5))]
"""Other bytes in each, changed in other ways; all of them take many seconds."""
Bundles = dict[str, bytes]


@pytest.fixture(scope="module")
def bundles(template: Path) -> Iterator[Bundles]:
    """A bundle of a run, and one of a range that begins within the log and proves that the log only grew."""
    with Sealed(template).open() as engine:
        run = engine.local.dead_letters(limit=1).items[0].run_id
        note = engine.evidence.store.checkpoints(0, 1)[0].note
        yield {
            "run": exported(engine, run=run),
            "range": exported(engine, positions=(300, 330), since=note),
        }


@pytest.fixture(scope="module")
def key(template: Path) -> str:
    """The log's verifier key, known from elsewhere."""
    return str(Sealed(template).keys.verifiers()[0])


def flipped(data: bytes, at: int, dice: random.Random) -> bytes:
    """*data* with one byte changed, in one of the ways in which bytes differ."""
    byte = data[at]
    other = dice.choice([byte ^ 1 << dice.randrange(8), 0, 255, ord(" "), ord("\n"), dice.randrange(256)])
    return data[:at] + bytes([other if other != byte else byte ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize("kind", ["run", "range"])
def test_untouched_bundles_are_verified(bundles: Bundles, key: str, kind: str, tmp_path: Path) -> None:
    """By the key; without one, they are self-consistent and no more."""
    assert verdicts(bundles[kind], tmp_path, [key]) == {"VERIFIED"}
    assert verdicts(bundles[kind], tmp_path) == {"SELF-CONSISTENT"}


@pytest.mark.parametrize("kind", ["run", "range"])
@pytest.mark.parametrize("part", PARTS)
def test_no_byte_of_the_file_can_be_changed(bundles: Bundles, key: str, kind: str, part: int, tmp_path: Path) -> None:
    """Every header, every padding, and bytes of every file: the manifest, at least, disagrees."""
    bundle, dice = bundles[kind], random.Random(part)
    at = [*range(part, 1_024, 10), *(dice.randrange(len(bundle)) for _ in range(150)), len(bundle) - 1 - part]
    for where in at:
        assert verdicts(flipped(bundle, where, dice), tmp_path, [key]) == {"TAMPERED"}, where


@pytest.mark.parametrize("kind", ["run", "range"])
def test_a_file_that_is_cut_or_goes_on_is_found(bundles: Bundles, key: str, kind: str, tmp_path: Path) -> None:
    """At every block, within one, and behind the end."""
    bundle = bundles[kind]
    cuts = [bundle[:size] for size in (0, 1, 511, *range(512, len(bundle), 2_048), len(bundle) - 1)]
    for other in (*cuts, bundle + b"\0", bundle + bytes(512), bundle + bundle):
        assert verdicts(other, tmp_path, [key]) == {"TAMPERED"}, len(other)


@pytest.mark.parametrize("kind", ["run", "range"])
@pytest.mark.parametrize("part", PARTS[:4])
def test_with_a_new_manifest_only_what_is_not_claimed_can_be_changed(
    bundles: Bundles, key: str, kind: str, part: int, tmp_path: Path
) -> None:
    """Bytes of each file; what is still verified proves exactly what it did."""
    files, dice = files_of(bundles[kind]), random.Random(100 + part)
    proven, seen = evidence_in(bundles[kind]), set()
    for name, data in files.items():
        for _ in range(3 if name in DECLARED else 40 if name.count("/") == 0 else 10):
            other = packed(files | {name: flipped(data, dice.randrange(len(data)), dice)})
            (result,) = verdicts(other, tmp_path, [key])
            seen.add(result)
            assert result != "VERIFIED" or evidence_in(other) == proven, name
    assert seen <= {"VERIFIED", "TAMPERED", "INCOMPLETE"}


@pytest.mark.parametrize("kind", ["run", "range"])
def test_each_file_is_needed_and_no_other_is_taken(bundles: Bundles, key: str, kind: str, tmp_path: Path) -> None:
    """Also with a manifest that fits."""
    files = files_of(bundles[kind])
    for name in files:
        rest = {other: data for other, data in files.items() if other != name}
        assert verdicts(packed(rest), tmp_path, [key]) == {"TAMPERED"}, name
    for name in ("extra", "entries/000001.jsonl", "proofs/x", "ranges/00000000000000000000.range-proof", "a/../b"):
        assert verdicts(packed(files | {name: b"{}\n"}), tmp_path, [key]) == {"TAMPERED"}, name


Change = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
CHANGES: dict[str, Change] = {
    "dropped": lambda entries: entries[:-3] + entries[-2:],
    "twice": lambda entries: [*entries, entries[-1]],
    "swapped": lambda entries: [entries[1], entries[0], *entries[2:]],
    "added": lambda entries: [*entries, entries[-1] | {"index": 9_000, "position": 9_001}],
    "reindexed": lambda entries: [*entries[:-1], entries[-1] | {"index": entries[-1]["index"] + 1}],
    "another state": lambda entries: [*entries[:-1], entries[-1] | {"state": entries[0]["state"]}],
    "states swapped": lambda entries: [entries[0] | {"state": entries[1]["state"]}, *entries[1:]],
    "later": lambda entries: [entries[0] | {"recorded_at_ms": entries[0]["recorded_at_ms"] + 1}, *entries[1:]],
    "another topic": lambda entries: [entries[0] | {"topic": "run.completed/1"}, *entries[1:]],
    "another tenant": lambda entries: [entries[0] | {"tenant": "evil/corp/prod"}, *entries[1:]],
    "as bytes": lambda entries: [entries[0] | {"kind": 0}, *entries[1:]],
    "position below its place": lambda entries: [*entries[:-1], entries[-1] | {"position": 1}],
    "a float": lambda entries: [entries[0] | {"version": 1.0}, *entries[1:]],
    "a truth": lambda entries: [entries[0] | {"version": True}, *entries[1:]],
    "too large": lambda entries: [*entries[:-1], entries[-1] | {"index": 2**80}],
    "none": lambda _entries: [],
}


@pytest.mark.parametrize("kind", ["run", "range"])
@pytest.mark.parametrize("change", CHANGES)
def test_entries_cannot_be_changed(bundles: Bundles, key: str, kind: str, change: str, tmp_path: Path) -> None:
    """Whatever else of the bundle is made to fit."""
    files = files_of(bundles[kind])
    other = with_entries(files, CHANGES[change](entries_of(files)))
    assert verdicts(other, tmp_path, [key]) == {"TAMPERED"}


def test_an_event_in_the_middle_of_a_run_cannot_be_left_out(bundles: Bundles, key: str, tmp_path: Path) -> None:
    """Its proof goes with it, and the versions of its stream tell all the same."""
    files = files_of(bundles["run"])
    entries = entries_of(files)
    at = next(n for n, entry in enumerate(entries) if entry["version"] == 2)
    del files[f"proofs/{entries[at]['index']:020}.tlog-proof"]
    assert verdicts(with_entries(files, [*entries[:at], *entries[at + 1 :]]), tmp_path, [key]) == {"INCOMPLETE"}


def test_what_was_left_out_of_a_state_is_still_bound_to_it(bundles: Bundles, key: str, tmp_path: Path) -> None:
    """States may be taken away, and then it is said so; none can be put in their place."""
    files = files_of(bundles["run"])
    entries = [
        {k: v for k, v in entry.items() if k not in ("state", "tenant", "correlation")} for entry in entries_of(files)
    ]
    kept = [hashed | {"state_bytes": 5, "state_sha256": "0" * 64} for hashed in entries]
    assert verdicts(with_entries(files, kept), tmp_path, [key]) == {"TAMPERED"}


def test_proofs_cannot_be_exchanged(bundles: Bundles, key: str, tmp_path: Path) -> None:
    """Neither under the name of the other nor under their own."""
    files: Files = files_of(bundles["run"])
    one, two = sorted(name for name in files if name.startswith("proofs/"))[:2]
    for other in (files | {one: files[two], two: files[one]}, files | {one: files[two]}):
        assert verdicts(packed(other), tmp_path, [key]) == {"TAMPERED"}
    files["proofs/00000000000000009999.tlog-proof"] = files.pop(one)
    assert verdicts(packed(files), tmp_path, [key]) == {"TAMPERED"}


@pytest.mark.parametrize("name", ["bundle.json", "policy.json"])
def test_json_has_one_form(bundles: Bundles, key: str, name: str, tmp_path: Path) -> None:
    """Blanks, another order, a key twice, another number, what is no JSON."""
    files = files_of(bundles["run"])
    told = json.loads(files[name])
    deep, first = b"[" * 100_000 + b"]" * 100_000 + b"\n", next(iter(told))
    twice = files[name].replace(b"{", b'{"' + first.encode() + b'":1,', 1)
    more = canonical_line(told | {"more": 1})
    spelt = [
        json.dumps(told).encode() + b"\n",
        files[name] + b"\n",
        files[name][:-1],
        b"\n",
        b"nan\n",
        b"[]\n",
        deep,
        twice,
    ]
    for data in (*spelt, b"\xff\n", b'{"a":' + b"9" * 5_000 + b"}\n", *([more] if name == "bundle.json" else [])):
        assert verdicts(packed(files | {name: data}), tmp_path, [key]) == {"TAMPERED"}, data[:60]
