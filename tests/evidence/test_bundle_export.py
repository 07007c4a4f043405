"""An export is whole, the same each time, and never of a log that is not what was sealed."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

import redrive
from redrive.domain.errors import SealRefused
from redrive.evidence.bundle.proofs import Span, range_proof
from redrive.evidence.bundle.reading import read_bundle
from tests.evidence.bundles import entries_of, exported, files_of
from tests.evidence.sealed import Sealed
from tests.evidence.trees import Tiles, hashes, naive_root


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 64, 70])
def test_every_range_of_every_tree_has_its_proof(size: int) -> None:
    """Compared with the root as RFC 9162 defines it."""
    leaves = hashes(size)
    tree, root = Tiles(leaves).tree(), naive_root(leaves)
    for first in range(size):
        for end in range(first + 1, size + 1):
            span = Span(first)
            for leaf in leaves[first:end]:
                span.append(leaf)
            assert span.root(size, range_proof(tree, first, end, size)) == root


def test_the_same_log_gives_the_same_bytes(sealed: Sealed) -> None:
    """Also after it was opened again."""
    wanted: list[dict[str, Any]] = [
        {"positions": (5, 50)},
        {"positions": (7, 7)},
        {"positions": (1, 400), "states": False},
    ]
    with sealed.open() as engine:
        wanted.append({"run": engine.local.dead_letters().items[0].run_id})
        first = [exported(engine, **one) for one in wanted]
    with sealed.open() as engine:
        assert [exported(engine, **one) for one in wanted] == first


def test_any_tar_reads_it(sealed: Sealed) -> None:
    """Plain files, of nobody, without a time, sorted but for the manifest."""
    with sealed.open() as engine:
        bundle = exported(engine, positions=(2, 9))
    with tarfile.open(fileobj=io.BytesIO(bundle)) as tar:
        found = tar.getmembers()
        read = {one.name: file.read() for one in found if (file := tar.extractfile(one))}
    names = [one.name for one in found]
    assert names == [*sorted(names[:-1]), "manifest.json"]
    assert {(one.mode, one.uid, one.gid, one.mtime, one.isreg()) for one in found} == {(0o644, 0, 0, 0, True)}
    assert {name: data for name, data in read.items() if name != "manifest.json"} == files_of(bundle)


def test_a_run_comes_with_all_that_it_names(tmp_path: Path) -> None:
    """Its flow and policies, although another run registered them, and the limits of its tenant, not of others."""
    flow = redrive.Flow([redrive.Node("a", retry=redrive.RetryPolicy(max_attempts=1))])
    with redrive.open(f"sqlite:///{tmp_path / 'log.db'}", seal=False) as engine:
        for scope, name in (("tenant", "local/default/default"), ("tenant", "other/x/y"), ("resource", "bank")):
            engine.set_limit(redrive.Limit(scope, name, concurrency=5), actor="ana", reason="r")  # type: ignore[arg-type]
        for key in ("1", "2"):
            run = engine.local.submit(flow, automation="n", key=key)
            claim = engine.local.claim(worker="w", start=True)
            assert claim is not None
            engine.local.fail_attempt(claim.attempts[0], redrive.Failure("execution_error", "broke"))
        entries = entries_of(files_of(exported(engine, run=run)))
    topics = [entry["topic"].partition("/")[0] for entry in entries]
    assert topics[:2] == ["engine.limit-set", "engine.limit-set"]
    assert topics.count("flow.registered") == 1
    assert topics.count("policy.registered") == 1
    assert {entry["originator"] for entry in entries if entry["topic"].startswith("run.submitted")} == {run}


def test_what_belongs_to_a_run_names_it_too(sealed: Sealed) -> None:
    """The id of a dead letter exports its run."""
    with sealed.open() as engine:
        letter = engine.local.dead_letters().items[0]
        assert exported(engine, run=letter.id) == exported(engine, run=letter.run_id)


def test_a_range_comes_with_what_it_names_of_what_came_before(sealed: Sealed) -> None:
    """The flow of runs that are in it; each with a proof of its own."""
    with sealed.open() as engine:
        files = files_of(exported(engine, positions=(200, 300)))
    before = [entry for entry in entries_of(files) if entry["position"] < 200]
    assert "flow.registered/1" in [entry["topic"] for entry in before]
    assert len([name for name in files if name.startswith("proofs/")]) == len(before)


def test_what_was_added_since_a_checkpoint(sealed: Sealed) -> None:
    """It begins with the leaf after it, and needs a checkpoint of this log."""
    with sealed.open() as engine:
        first, _, last = engine.evidence.store.checkpoints(0, 3)
        found = read_bundle(io.BytesIO(exported(engine, since=first.note)))
        assert found.contents.ranges == ((first.size, last.size - first.size),)
        assert found.since is not None
        for other in (last.note, last.note.replace("redrive/", "redrive/x"), "nonsense", b"\xff", 7):
            with pytest.raises(redrive.InvalidValue):
                exported(engine, since=other)
        root = first.note.split("\n")[2]
        with pytest.raises(SealRefused, match="rewritten"):
            exported(engine, since=first.note.split("\n\n")[0].replace(root, last.note.split("\n")[2]) + "\n")


def test_everything_is_sealed_first(sealed: Sealed) -> None:
    """So that the newest run can be handed over at once."""
    with sealed.open() as engine:
        run = engine.local.submit(redrive.Flow([redrive.Node("x")]), automation="new")
        report = engine.export(io.BytesIO(), run=run)
        assert report.size == engine.ledger.last_position()
        assert report.signed
        assert report.footing.seal.startswith("sealed")


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"run": "x", "positions": (1, 2)},
        {"positions": (0, 5)},
        {"positions": (5, 4)},
        {"positions": (1, 99_999)},
        {"positions": (1,)},
        {"positions": "12"},
        {"positions": (1.0, 2)},
        {"run": ""},
        {"run": 7},
    ],
)
def test_what_cannot_be_exported_is_refused(sealed: Sealed, wanted: dict[str, Any], tmp_path: Path) -> None:
    """With the value and what would do; nothing is left behind."""
    with sealed.open() as engine, pytest.raises(redrive.InvalidValue):
        engine.export(tmp_path / "case.tar", **wanted)
    assert not [path for path in tmp_path.iterdir() if "case.tar" in path.name]


def test_an_unknown_run_and_an_empty_log(sealed: Sealed, tmp_path: Path) -> None:
    """Neither gives a file."""
    with sealed.open() as engine, pytest.raises(redrive.NotFound):
        engine.export(tmp_path / "case.tar", run="nobody")
    with redrive.open(f"sqlite:///{tmp_path / 'new.db'}") as engine, pytest.raises(redrive.InvalidValue, match="empty"):
        engine.export(tmp_path / "case.tar", positions=(1, 2))
    assert not (tmp_path / "case.tar").exists()


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(sealed: Sealed, tmp_path: Path) -> None:
    """And a folder is never replaced."""
    there = tmp_path / "case.tar"
    there.write_text("mine")
    with sealed.open() as engine:
        with pytest.raises(redrive.InvalidValue):
            engine.export(there, positions=(1, 9))
        assert there.read_text() == "mine"
        report = engine.export(there, positions=(1, 9), force=True)
        assert there.stat().st_size == report.bytes
        bad: Any
        for bad in (tmp_path, "", "a\0b", 7):
            with pytest.raises(redrive.InvalidValue):
                engine.export(bad, positions=(1, 9), force=True)
        with pytest.raises(redrive.StorageError):
            engine.export(tmp_path / "no" / "folder.tar", positions=(1, 9))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case.tar", "sealed"]


class FullDisk(io.BytesIO):
    """Takes a little."""

    def write(self, data: Any) -> int:
        """Refuse what is too much."""
        if self.tell() > 5_000:
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_a_full_disk_is_said(sealed: Sealed) -> None:
    """As an error of storage."""
    with sealed.open() as engine, pytest.raises(redrive.StorageError, match="No space left"):
        engine.export(FullDisk(), positions=(1, 9))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET state = CAST(replace(state, 'nightly', 'daily__') AS BLOB) WHERE position = 30",
        "UPDATE events SET recorded_at_ms = recorded_at_ms + 1 WHERE position = 30",
        "UPDATE events SET topic = x'ff' WHERE position = 30",
        "DELETE FROM events WHERE position = 30",
    ],
)
def test_a_log_that_is_not_what_was_sealed_gives_no_evidence(sealed: Sealed, change: str, tmp_path: Path) -> None:
    """Neither of the range nor of the event alone; a bundle beside it is fine."""
    sealed.sql(change)
    with sealed.open() as engine:
        for positions in ((20, 40), (30, 30)):
            with pytest.raises((redrive.StorageError, redrive.InvalidValue)):
                engine.export(tmp_path / "case.tar", positions=positions)
        engine.export(io.BytesIO(), positions=(40, 60))
    assert not (tmp_path / "case.tar").exists()
