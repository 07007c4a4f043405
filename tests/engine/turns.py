"""Two commands that race: one begins in the middle of the other, also with the guards taken away."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import permutations, product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from redrive import Refused
from redrive.ledger.recorder import LogRecorder
from redrive.ledger.sqlite.recorder import SqliteRecorder
from redrive.ledger.transaction import LedgerTransaction
from tests.engine.outworld import Till

Act = Callable[[], Any]
Told = dict[str, Exception | None]
WAITS_S = 0.1


@dataclass
class Turn:
    """Who acts first; the rival begins between its reads and its append. On SQLite it waits for the lock; on
    PostgreSQL, and without any guard, it is quicker. *went*: whose events came first, in the end."""

    order: tuple[str, ...]
    guarded: bool = True
    went: tuple[str, ...] = ()
    _told: Told = field(default_factory=dict)
    _errors: list[BaseException] = field(default_factory=list)

    @property
    def first(self) -> str:
        """Whoever's events are the earlier ones."""
        return self.went[0]

    def __call__(self, **acts: Act) -> Told:
        """Do them; what each was told, None when it was not refused."""
        first, second = self.order
        self.went, self._told, self._errors = self.order, {}, []
        self._race(acts[first], acts[second])
        if self._errors:
            raise self._errors[0]
        return self._told

    def _race(self, act: Act, other: Act) -> None:
        rival = threading.Thread(target=self._act, args=(self.order[1], other), daemon=True)
        with pytest.MonkeyPatch.context() as patched:
            if not self.guarded:
                _take_away_the_guards(patched, threading.current_thread())
            for name in ("encode", "refuse"):
                patched.setattr(LedgerTransaction, name, self._slow(name, rival))
            self._act(self.order[0], act)
        if rival.ident is None:
            raise RuntimeError(f"{self.order[0]} decided nothing")
        rival.join(60)
        if rival.is_alive():
            raise RuntimeError(f"{self.order[1]} never ended")

    def _slow(self, name: str, rival: threading.Thread) -> Callable[[LedgerTransaction], None]:
        """What comes after the reads, for the first command that was refused or has something to write: *rival*."""
        method, here = getattr(LedgerTransaction, name), threading.current_thread()

        def slow(tx: LedgerTransaction) -> None:
            decided = tx.appended or name == "refuse"
            if threading.current_thread() is here and decided and rival.ident is None:
                rival.start()
                if self.guarded and not tx._committer.ahead:
                    rival.join(WAITS_S)
                    assert rival.is_alive(), f"{self.order[1]} did not wait"
                else:
                    rival.join(60)
                    assert not rival.is_alive(), f"{self.order[1]} had to wait"
                    self.went = self.order[::-1]
            method(tx)

        return slow

    def _act(self, name: str, act: Act) -> None:
        try:
            self._told[name] = tried(act)
        except BaseException as error:  # noqa: BLE001 - raised where the test is
            self._errors.append(error)


def _take_away_the_guards(patched: pytest.MonkeyPatch, here: threading.Thread) -> None:
    """*here* takes the lock only when it writes, and asks nobody whether what it read still stands."""
    begin, flush, insert = SqliteRecorder.begin, LedgerTransaction.flush, LogRecorder.insert

    def late(recorder: SqliteRecorder) -> None:
        if threading.current_thread() is not here:
            begin(recorder)

    def flush_late(tx: LedgerTransaction, **more: Any) -> None:
        recorder = tx._committer.recorder
        if threading.current_thread() is here and isinstance(recorder, SqliteRecorder) and _writes(tx):
            begin(recorder)
        flush(tx, **more)

    def unasked(recorder: LogRecorder, rows: Any, unchanged: Any, **more: Any) -> int:
        mine = threading.current_thread() is here
        return insert(recorder, rows, unchanged, **({"checked": True} if mine else more))

    patched.setattr(SqliteRecorder, "begin", late)
    patched.setattr(LedgerTransaction, "flush", flush_late)
    patched.setattr(LogRecorder, "insert", unasked)


def _writes(tx: LedgerTransaction) -> bool:
    return bool(tx.appended) and not tx._committer.recorder.writer.in_transaction


def tried(act: Act) -> Exception | None:
    """Do it; the refusal, if any."""
    try:
        act()
    except Refused as refused:
        return refused
    return None


def orders(*names: str) -> pytest.MarkDecorator:
    """Each of the two first."""
    turns = [Turn(order) for order in permutations(names)]
    return pytest.mark.parametrize("turn", turns, ids=lambda turn: "-".join(turn.order))


class Race(NamedTuple):
    """A test of two commands, with the values of its other parameters."""

    test: Callable[..., None]
    values: dict[str, Any]

    def __str__(self) -> str:
        words = [str(getattr(value, "key", value)) for value in self.values.values()]
        return " ".join([self.test.__name__.removeprefix("test_").replace("_", " "), *words])

    @property
    def orders(self) -> list[tuple[str, ...]]:
        """In which the two act."""
        turns = next(turns for name, turns in _parameters(self.test) if name == "turn")
        return [turn.order for turn in turns]


def races_of(module: Any) -> Iterator[Race]:
    """The tests of *module* that are about two commands, with each value of another parameter."""
    for test in vars(module).values():
        parameters = _parameters(test)
        if not any(name == "turn" for name, _ in parameters):
            continue
        others = [(name, values) for name, values in parameters if name != "turn"]
        for chosen in product(*(values for _, values in others)):
            yield Race(test, dict(zip([name for name, _ in others], chosen, strict=True)))


def _parameters(test: Any) -> list[tuple[str, list[Any]]]:
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    return [(mark.args[0], list(mark.args[1])) for mark in marks]


@contextmanager
def two_tills(path: Path) -> Iterator[tuple[Till, Till]]:
    """Two processes on one file, which may be in any state at the end."""
    tills = Till(path), Till(path)
    try:
        yield tills
    finally:
        for till in tills:
            with suppress(Exception):
                till.engine.close()
