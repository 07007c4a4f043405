"""What an embedder writes at first: a command that is already called in a batch, and files named as paths."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import redrive
from redrive import Engine, InvalidValue
from tests.processes.workshop import ANA, ONE
from tests.stores import log_url


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A log whose files are named as paths."""
    privacy = redrive.Privacy(tmp_path / "keys.db")
    pin, views = tmp_path / "pin", tmp_path / "views"
    views.mkdir()
    with redrive.open(log_url(tmp_path / "log.db"), views=views, pin_file=pin, privacy=privacy) as engine:
        yield engine


WRONG: list[tuple[str, Callable[[redrive.Batch, Engine], Any]]] = [
    ("a method and then its arguments", lambda b, e: b.add(e.local.submit(ONE, automation="a"))),  # type: ignore[arg-type]
    ("command: 'runs'", lambda b, e: b.add(e.local.runs)),
]


@pytest.mark.parametrize(("told", "add"), WRONG, ids=["called", "query"])
def test_a_batch_says_what_it_takes(engine: Engine, told: str, add: Callable[[redrive.Batch, Engine], Any]) -> None:
    """It names what was given; a lambda of its own would say nothing to anybody."""
    with engine.batch() as batch, pytest.raises(InvalidValue, match=told):
        add(batch, engine)


def test_files_may_be_named_as_paths(engine: Engine, tmp_path: Path) -> None:
    """Key store, views, pin and archive: as texts, or as paths."""
    engine.local.submit(ONE, automation="a")
    engine.seal()
    assert all((tmp_path / name).exists() for name in ("keys.db", "pin"))
    told = engine.archive(older_than_ms=0, to=tmp_path / "old", dry_run=True, **ANA)
    assert told.path == str(tmp_path / "old")


def test_an_export_is_of_one_thing(engine: Engine, tmp_path: Path) -> None:
    """Who names two hears that, and not that nothing was given."""
    run = engine.local.submit(ONE, automation="a")
    with pytest.raises(InvalidValue, match="both run and positions"):
        engine.export(tmp_path / "b.tar", run=run, positions=(1, 2))
    assert not (tmp_path / "b.tar").exists()


def test_a_listener_may_return_something(tmp_path: Path) -> None:
    """``loop.call_soon_threadsafe`` returns a handle; nobody looks at it, and no type checker objects."""
    heard: set[str] = set()

    def hear(recorded: redrive.Recorded) -> int:
        heard.add(recorded.topic)
        return len(heard)

    with redrive.open(log_url(tmp_path / "heard.db"), listeners=[hear]) as engine:
        engine.local.submit(ONE, automation="a")
    assert "run.submitted" in heard
