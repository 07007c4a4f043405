"""One view file, several who open it: each event is folded by exactly one of them, and by nobody who asks nothing."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from redrive.domain.errors import EngineClosed
from redrive.domain.flow import Flow, Node
from redrive.projections import view as views
from redrive.projections.view import View
from tests.projections.plant import Plant, contents


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events each fold folded; a log of more than fifty events is folded beside the view."""
    counts: list[int] = []
    fold: Callable[..., int] = View._fold_from

    def counting(view: View, connection: sqlite3.Connection, position: int, *rest: Any, **more: Any) -> int:
        reached = fold(view, connection, position, *rest, **more)
        counts.append(reached - position)
        return reached

    monkeypatch.setattr(View, "_fold_from", counting)
    monkeypatch.setattr(views, "REBUILD_FROM", 50)
    return counts


def together(shared: list[View]) -> None:
    """All of them catch up at the same moment."""
    begin = threading.Barrier(len(shared))
    threads = [threading.Thread(target=lambda view=view: (begin.wait(), view.catch_up())) for view in shared]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def opened(plant: Plant, folder: Path, count: int = 4) -> list[View]:
    """So many views on one file, each as a process of its own has it."""
    return [View(plant.ledger, str(folder / "v.db")) for _ in range(count)]


def close(shared: list[View]) -> None:
    """Close them."""
    for view in shared:
        view.close()


def test_who_asks_nothing_folds_nothing(plant: Plant, tmp_path: Path, folded: list[int]) -> None:
    """A worker that opens a long log begins to work at once; the first query pays."""
    plant.live(100)
    (view,) = shared = opened(plant, tmp_path, 1)
    assert (folded, view.position) == ([], 0)
    assert view.catch_up() == sum(folded) == plant.ledger.last_position()
    close(shared)


def test_a_long_log_is_folded_by_one_of_many(plant: Plant, tmp_path: Path, folded: list[int]) -> None:
    """Four that need it at the same moment: one does it, three wait and find it done."""
    plant.live(100)
    shared = opened(plant, tmp_path)
    together(shared)
    assert sum(folded) == plant.ledger.last_position()
    assert all(contents(view) == contents(shared[0]) for view in shared)
    close(shared)


@pytest.mark.parametrize("size", [10, 100])
def test_what_does_not_fit_is_folded_anew_once(plant: Plant, tmp_path: Path, folded: list[int], size: int) -> None:
    """Other code wrote the file: not before somebody asks, and by one of those who do."""
    plant.live(size)
    close_first = opened(plant, tmp_path, 1)
    close_first[0].catch_up()
    close(close_first)
    with sqlite3.connect(tmp_path / "v.db") as file:
        file.execute("UPDATE view SET fingerprint = 'another'")
    folded.clear()
    shared = opened(plant, tmp_path)
    assert folded == []
    together(shared)
    assert sum(folded) == plant.ledger.last_position()
    close(shared)


def test_a_query_without_catching_up_never_sees_what_does_not_fit(plant: Plant, tmp_path: Path) -> None:
    """Rows that other code wrote are folded anew before they are shown."""
    plant.live(10)
    (first,) = opened(plant, tmp_path, 1)
    first.catch_up()
    with sqlite3.connect(tmp_path / "v.db") as file:
        file.execute("UPDATE view SET fingerprint = 'another'")
        file.execute("UPDATE runs SET status = 'wrong'")
    (second,) = opened(plant, tmp_path, 1)
    assert second.rows("SELECT count(*) FROM runs WHERE status = 'wrong'") == [(0,)]
    close([first, second])


def test_what_another_folded_is_seen_without_the_lock(plant: Plant, tmp_path: Path, folded: list[int]) -> None:
    """Somebody holds the view's write lock: who finds it up to date neither waits nor folds."""
    shared = opened(plant, tmp_path, 2)
    plant.live(20)
    shared[0].catch_up()
    other = sqlite3.connect(str(tmp_path / "v.db"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert shared[1].catch_up() == plant.ledger.last_position()
    assert sum(folded) == plant.ledger.last_position()
    other.close()
    close(shared)


def test_a_view_that_somebody_removed_is_folded_again_by_whoever_has_it_open(plant: Plant, tmp_path: Path) -> None:
    """Only the database was removed. A new one that shared what was written ahead for it ended other processes."""
    plant.live(30)
    first, second = shared = opened(plant, tmp_path, 2)
    assert first.catch_up() == second.catch_up()
    ahead = (tmp_path / "v.db-shm").stat().st_ino
    (tmp_path / "v.db").unlink()
    plant.live(2)
    assert first.catch_up() == plant.ledger.last_position()
    assert (tmp_path / "v.db-shm").stat().st_ino != ahead
    assert second.catch_up() == plant.ledger.last_position()
    assert contents(first) == contents(second)
    close(shared)


def test_a_file_that_is_not_as_far_as_what_was_answered_is_not_read(plant: Plant, tmp_path: Path) -> None:
    """Another process put its own in place, and a thread of this one has it open and is about to fold it."""
    plant.live(30)
    first, second = shared = opened(plant, tmp_path, 2)
    first.catch_up()
    second.rebuild()
    plant.live(5)
    with sqlite3.connect(tmp_path / "v.db") as behind:
        behind.execute("UPDATE view SET position = position - 3")
    first._file.reopen()
    assert first.rows("SELECT position FROM view") == [(plant.ledger.last_position(),)]
    close(shared)


def test_a_view_that_is_closed_while_it_folds_says_so(
    plant: Plant, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked when another thread closed the engine did not find the database refusing."""
    plant.submit(Flow([Node("a")]))
    fold_some = view._fold_some

    def closed() -> bool:
        view.close()
        return fold_some()

    monkeypatch.setattr(view, "_fold_some", closed)
    with pytest.raises(EngineClosed):
        view.catch_up()
