"""The file of an archive: what was written is read back, what was changed is noticed."""

import os
from pathlib import Path

import pytest

from redrive.domain.errors import ArchiveUnreadable, StorageError
from redrive.retention.archive_file import MAGIC, ArchiveWriter, open_archive, read_state

LOG = "00000000-0000-4000-8000-000000000000"


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    """By whoever opens it, also when more was appended later by another one."""
    path = tmp_path / "a"
    for n in range(3):
        writer = ArchiveWriter(path, LOG)
        kept = writer.append([(10 * n + 1, b"first"), (10 * n + 2, b"")])
        writer.close()
        file = open_archive(str(path), writer.id)
        assert [read_state(file, one, "a") for one in kept] == [b"first", b""]
        os.close(file)
    assert path.read_bytes().startswith(MAGIC)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"x", b"SQLite format 3\x00" * 9, MAGIC, MAGIC + b"short"])
def test_another_file_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """A typing error must not end in the middle of a database."""
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(StorageError, match="no archive of redrive"):
        ArchiveWriter(path, LOG)
    with pytest.raises(ArchiveUnreadable, match="no archive of redrive"):
        open_archive(str(path), "00" * 16)
    assert path.read_bytes() == content


def test_an_archive_is_of_one_log(tmp_path: Path) -> None:
    """And has one id."""
    ArchiveWriter(tmp_path / "a", LOG).close()
    with pytest.raises(StorageError, match="archive of another log"):
        ArchiveWriter(tmp_path / "a", LOG[::-1])
    with pytest.raises(ArchiveUnreadable, match="another archive"):
        open_archive(str(tmp_path / "a"), "00" * 16)


def test_one_writes_at_a_time(tmp_path: Path) -> None:
    """The other one is told, and can try again."""
    first = ArchiveWriter(tmp_path / "a", LOG)
    with pytest.raises(StorageError, match="another process is writing"):
        ArchiveWriter(tmp_path / "a", LOG)
    first.close()
    ArchiveWriter(tmp_path / "a", LOG).close()


def test_what_was_changed_is_noticed(tmp_path: Path) -> None:
    """One bit is enough."""
    writer = ArchiveWriter(tmp_path / "a", LOG)
    (kept,) = writer.append([(7, b"state")])
    writer.close()
    data = bytearray((tmp_path / "a").read_bytes())
    data[kept.offset] ^= 1
    (tmp_path / "a").write_bytes(data)
    file = open_archive(str(tmp_path / "a"), writer.id)
    with pytest.raises(ArchiveUnreadable, match="position 7 is not what was archived"):
        read_state(file, kept, "a")
    os.close(file)


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    """No folder, no right."""
    with pytest.raises(StorageError, match="cannot be written"):
        ArchiveWriter(tmp_path / "none" / "a", LOG)
