"""A view is thrown away without regret, shared without harm, and never says what its log does not."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from redrive.domain.errors import StorageError
from redrive.domain.flow import Flow, Node
from redrive.forensics.positions import position_of
from redrive.forensics.prefix import LogPrefix
from redrive.projections.fold import fingerprint
from redrive.projections.queries import Queries
from redrive.projections.view import View, view_path
from tests.projections.plant import ACME, Plant, contents

CATCH_UP = """
import sys
from redrive.ledger.ledger import LogLedger
from redrive.projections.view import View
ledger = LogLedger(sys.argv[1], clock=lambda: 0, dice=lambda: 0.5, engine="test")
view = View(ledger, sys.argv[2])
print("ready", flush=True)
for _ in sys.stdin:
    print(view.catch_up(), flush=True)
"""


def _fresh(plant: Plant) -> dict[str, list[tuple[Any, ...]]]:
    with View(plant.ledger, None) as view:
        return contents(view)


def test_a_rebuilt_view_equals_the_live_one(plant: Plant, view: View, tmp_path: Path) -> None:
    """Row by row over every table; and the rebuild leaves nothing beside the file."""
    for _ in range(10):
        plant.live(15)
        view.catch_up()
    live = contents(view)
    assert view.rebuild() == plant.ledger.last_position()
    assert contents(view) == live == _fresh(plant)
    assert not list(tmp_path.glob("*rebuild*"))


def test_threads_that_share_a_file_fold_each_event_once(plant: Plant, tmp_path: Path) -> None:
    """Two views on one file, two threads each, all catching up while the log grows."""
    with View(plant.ledger, str(tmp_path / "v.db")) as one, View(plant.ledger, str(tmp_path / "v.db")) as two:
        over = threading.Event()

        def follow(view: View) -> None:
            while not over.is_set():
                view.catch_up()

        threads = [threading.Thread(target=follow, args=(view,)) for view in (one, two, one, two)]
        for thread in threads:
            thread.start()
        plant.live(200)
        over.set()
        for thread in threads:
            thread.join()
        assert contents(one) == contents(two) == _fresh(plant)


def test_processes_that_share_a_file_fold_each_event_once(plant: Plant, tmp_path: Path) -> None:
    """Two processes, woken together again and again."""
    path, log_path = str(tmp_path / "v.db"), plant.ledger.path
    argv = [sys.executable, "-c", CATCH_UP, log_path, path]
    others = [subprocess.Popen(argv, stdin=-1, stdout=-1, text=True, bufsize=1) for _ in range(2)]
    pipes = [(other.stdin, other.stdout) for other in others if other.stdin and other.stdout]
    assert [said.readline() for _, said in pipes] == ["ready\n"] * 2
    for _ in range(10):
        plant.live(15)
        for wake, _ in pipes:
            wake.write("\n")
        assert {int(said.readline()) for _, said in pipes} == {plant.ledger.last_position()}
    for other in others:
        other.communicate()
    with View(plant.ledger, path) as view:
        assert view.status().lag == 0
        assert contents(view) == _fresh(plant)


def test_readers_go_on_while_the_file_is_replaced(plant: Plant, view: View) -> None:
    """Another view on the same file is rebuilt again and again: every answer is whole, and so is the file after it."""
    plant.live(100)
    right, wrong = contents(view), []
    with View(plant.ledger, view.path) as other:
        rebuilding = threading.Thread(target=lambda: [other.rebuild() for _ in range(10)])
        rebuilding.start()
        while rebuilding.is_alive():
            wrong += [found for found in [contents(view)] if found != right]
        rebuilding.join()
    plant.live(20)
    assert not wrong
    assert contents(view) == _fresh(plant)
    assert view.rows("PRAGMA integrity_check") == [("ok",)]


def test_a_view_of_another_log_is_folded_anew(plant: Plant, view: View, tmp_path: Path) -> None:
    """The ledger's id tells."""
    plant.live(30)
    view.catch_up()
    other = Plant(tmp_path / "other.db")
    other.live(5)
    with View(other.ledger, view.path) as changed:
        assert contents(changed) == _fresh(other)
    other.ledger.close()


@pytest.mark.parametrize("after", [0, 60], ids=["shorter", "gone another way"])
def test_a_restored_log_rebuilds_the_view(plant: Plant, tmp_path: Path, after: int) -> None:
    """A backup of the log came back: shorter than the view, or longer again with other events."""
    plant.live(30)
    with sqlite3.connect(tmp_path / "backup.db") as backup, sqlite3.connect(plant.ledger.path) as log:
        log.backup(backup)
    plant.live(30)
    with View(plant.ledger, str(tmp_path / "v.db")) as view:
        view.catch_up()
    restored = Plant(tmp_path / "backup.db", 7)
    restored.live(after)
    with View(restored.ledger, str(tmp_path / "v.db")) as view:
        assert contents(view) == _fresh(restored)
    restored.ledger.close()


def test_a_log_that_is_restored_under_an_open_view_is_noticed(plant: Plant, tmp_path: Path) -> None:
    """The view is open all the while; the next catch-up sees that its last event is another one."""
    plant.live(40)
    with View(plant.ledger, None) as view:
        view.catch_up()
        other = Plant(tmp_path / "other.db", 3)
        other.ledger.id = plant.ledger.id
        other.live(80)
        view._source = other.ledger
        assert contents(view) == _fresh(other)
        other.ledger.close()


@pytest.mark.parametrize("asking", [1, 2], ids=["alone", "behind another that noticed"])
def test_a_restored_log_that_grew_to_the_same_position_is_noticed(plant: Plant, tmp_path: Path, asking: int) -> None:
    """Nothing of the tail that was lost is answered, by whoever has the view open."""
    with sqlite3.connect(tmp_path / "backup.db") as backup, sqlite3.connect(plant.ledger.path) as log:
        log.backup(backup)
    plant.ledger.close()
    (old, new), view = (Plant(tmp_path / name) for name in ("ops.db", "backup.db")), str(tmp_path / "v.db")
    lost = old.submit(Flow([Node("a")]), key="lost")
    with contextlib.ExitStack() as opened:
        first, *others = [opened.enter_context(View(old.ledger, view)) for _ in range(asking)]
        for one in (first, *others):
            one.catch_up()
        new.now += 1
        new.submit(Flow([Node("a")]), key="instead")
        assert new.ledger.last_position() == old.ledger.last_position()
        for one in (*others, first):
            one._source = new.ledger
            assert contents(one) == _fresh(new)
            assert one.rows("SELECT count(*) FROM runs WHERE run_id = ?", (lost,)) == [(0,)]
    old.ledger.close()
    new.ledger.close()


@pytest.mark.parametrize("where", [0, 5_000], ids=["the header", "a page"])
def test_a_damaged_file_is_folded_anew(plant: Plant, view: View, where: int) -> None:
    """Opened again, it says what the log says."""
    plant.live(60)
    view.catch_up()
    view.close()
    assert view.path is not None
    with Path(view.path).open("r+b") as file:
        file.seek(where)
        file.write(b"\xa5" * 30_000)
    with View(plant.ledger, view.path) as again:
        assert contents(again) == _fresh(plant)


def test_a_view_whose_tables_were_dropped_is_folded_anew(plant: Plant, view: View) -> None:
    """Somebody played with it in another tool."""
    plant.live(30)
    view.catch_up()
    view.rows("SELECT 1")
    with sqlite3.connect(str(view.path)) as other:
        other.execute("DROP TABLE view")
    view.close()
    with View(plant.ledger, view.path) as again:
        assert contents(again) == _fresh(plant)


def test_a_file_of_something_else_is_left_alone(plant: Plant, tmp_path: Path) -> None:
    """A wrong path must not cost anybody a database."""
    Database(tmp_path / "precious.db").table("people").insert({"name": "Ana"})
    with pytest.raises(StorageError, match="something else"):
        View(plant.ledger, str(tmp_path / "precious.db"))
    assert Database(tmp_path / "precious.db").table("people").count == 1


def test_a_view_can_stop_in_the_past(plant: Plant, tmp_path: Path) -> None:
    """Where its source ends, in memory and in a file."""
    plant.live(60)
    middle = plant.ledger.last_position() // 2
    prefix = LogPrefix(plant.ledger, position_of(plant.ledger, middle))
    with View(prefix, None) as past, View(prefix, str(tmp_path / "p.db")) as file:
        assert past.catch_up() == file.catch_up() == middle
        assert contents(past) == contents(file)
        plant.live(20)
        assert (past.catch_up(), past.status().lag) == (middle, 0)
        assert max(position for (position,) in past.rows("SELECT updated FROM runs")) <= middle


def test_a_removed_file_is_made_anew(plant: Plant, view: View) -> None:
    """Somebody deletes the view of a running engine; the next query folds it again."""
    plant.live(30)
    view.catch_up()
    for leftover in Path(str(view.path)).parent.glob("view.db*"):
        leftover.unlink()
    assert contents(view) == _fresh(plant)


def test_nothing_new_costs_no_write(plant: Plant, view: View) -> None:
    """With the write lock in other hands, a view that is up to date answers at once."""
    plant.live(20)
    view.catch_up()
    other = sqlite3.connect(str(view.path), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert view.catch_up() == plant.ledger.last_position()
    assert Queries(view, None).counts().events
    other.close()


FULL = """
import resource, signal, sys
from redrive.domain.errors import StorageError
from redrive.ledger.ledger import LogLedger
from redrive.forensics.positions import position_of
from redrive.forensics.prefix import LogPrefix
from redrive.projections.view import View
from tests.projections.plant import contents
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ledger = LogLedger(sys.argv[1], clock=lambda: 0, dice=lambda: 0.5, engine="test")
log = LogPrefix(ledger, position_of(ledger, "now"))
log.until = 100
view = View(log, sys.argv[2])
view.catch_up()
log.until = ledger.last_position()
sys.dont_write_bytecode = True
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
for act in (view.catch_up, view.rebuild):
    try:
        act()
    except StorageError as error:
        print(error, view.status().position)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert contents(view) == contents(View(ledger, None))
print("well again")
"""


def test_a_full_disk_leaves_the_view_as_it_was(plant: Plant, tmp_path: Path) -> None:
    """Catching up and rebuilding fail with a sentence; when there is space again, the same view goes on."""
    plant.live(400)
    argv = [sys.executable, "-c", FULL, plant.ledger.path, str(tmp_path / "v.db")]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[-1] == "well again"
    assert len(said) == 3
    assert all("view" in line and line.endswith(" 100") for line in said[:2])


def test_a_killed_rebuild_leaves_the_old_view(plant: Plant, view: View) -> None:
    """What it left behind disturbs nobody."""
    plant.live(30)
    view.catch_up()
    Path(f"{view.path}.rebuild-1-dead").write_bytes(b"half")
    os.utime(f"{view.path}.rebuild-1-dead", (0, 0))
    view.rebuild()
    assert not Path(f"{view.path}.rebuild-1-dead").exists()
    assert contents(view) == _fresh(plant)


def test_the_file_is_plain_sqlite(plant: Plant, view: View) -> None:
    """Texts and numbers only, keys on every table, and a full-text index that tools recognise."""
    plant.live(60)
    view.catch_up()
    db = Database(str(view.path))
    assert db.table("texts").detect_fts() == "texts_fts"
    for table in ("runs", "dead_letters", "backoffs", "mentions", "counts"):
        assert db.table(table).pks != ["rowid"] or table == "mentions"
        assert all(not isinstance(value, bytes) for row in db.table(table).rows for value in row.values())


def test_versions_have_files_of_their_own() -> None:
    """The live file is named by the code that folds it."""
    assert view_path("/data/ops.db") == f"/data/ops.db.views-{fingerprint()[:8]}.db"


def test_other_code_folds_anew(plant: Plant, view: View) -> None:
    """A view that another version wrote is not trusted."""
    plant.submit(Flow([Node("a")]))
    view.catch_up()
    view.close()
    with sqlite3.connect(str(view.path)) as other:
        other.execute("UPDATE view SET fingerprint = 'older'")
        other.execute("UPDATE runs SET automation = 'wrong'")
    with View(plant.ledger, view.path) as again:
        assert Queries(again, ACME).runs().items[0].automation == "nightly"


def test_a_closed_view_says_so(view: View) -> None:
    """Not with the driver's words."""
    view.close()
    with pytest.raises(StorageError):
        Queries(view, ACME).counts()
