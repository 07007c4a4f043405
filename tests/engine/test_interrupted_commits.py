"""Ctrl-C while one thread commits for others: nobody waits for ever, and nothing of it stays."""

import sys
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import redrive
from redrive import StorageError
from redrive.ledger.ledger import LogLedger, collecting
from redrive.ledger.pending import Pending
from tests.processes.workshop import Shop, running, until


class Struck(BaseException):
    """What the signal raises."""


def struck(*_: object) -> None:
    """Where the signal arrives."""
    raise Struck


def test_who_waits_is_told_when_the_committing_thread_was_interrupted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had committed, and was about to say so: the others look, and try again."""
    run, committer = shop.submit(), shop.engine.ledger.committer
    with ExitStack() as locked:
        locked.enter_context(committer.under_lock())
        with running(lambda: note_in_vain(shop, run)), monkeypatch.context() as patched:
            until(lambda: committer._queue)
            patched.setattr(Pending, "release", struck)
            with pytest.raises(Struck):
                committer._commit_some()
            locked.close()
    assert shop.topics(run)[-1] == "note-added"


def note_in_vain(shop: Shop, run: redrive.RunId) -> None:
    """Whoever notes something is told that nobody knows."""
    with pytest.raises(StorageError, match="look before"):
        shop.acme.note(run, "twice", actor="ana")


def struck_in(function: Any, after: str) -> Any:
    """A tracer that strikes in *function*, at the first line below the one that holds *after*."""

    def trace(frame: FrameType, event: str, _arg: object) -> Any:
        return line if frame.f_code is function.__code__ else None

    lines = {number for *_, number in function.__code__.co_lines() if number}
    source = Path(function.__code__.co_filename).read_text(encoding="utf-8").splitlines()
    first = min(number for number in lines if any(after in text for text in source[min(lines) - 1 : number - 1]))

    def line(frame: FrameType, event: str, _arg: object) -> Any:
        if event == "line" and frame.f_lineno >= first:
            sys.settrace(None)
            raise Struck
        return line

    return trace


def test_an_interrupt_while_a_batch_is_filled_leaves_no_batch_open(shop: Shop) -> None:
    """What this thread does afterwards is committed, and not queued for a batch that nobody commits."""
    before, batch = sys.gettrace(), shop.engine.batch()
    batch.__enter__()
    sys.settrace(struck_in(LogLedger.collect, "_collecting.set"))
    try:
        with pytest.raises(Struck):
            batch.add(shop.acme.submit, redrive.Flow([redrive.Node("a")]), automation="a")
    finally:
        sys.settrace(before)
    assert not collecting()
    assert shop.run_status(shop.submit()) == "queued"
