"""Claims that would meet although each tries for a lock: one that looks while another is committed, one that is decided
again under the write lock."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import sleep

import psycopg
import pytest

from redrive.ledger.postgres.connection import PostgresConnection
from tests.engine.outworld import Till
from tests.ledger.postgres.conftest import OpenTill
from tests.ledger.postgres.test_ahead import in_between
from tests.ledger.postgres.test_line import WAYS, conflicts, submitted
from tests.processes.workshop import ANA

_SLOW = """CREATE FUNCTION pg_try_advisory_xact_lock(bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared({gate});
    RETURN pg_catalog.pg_try_advisory_xact_lock($1);
END $$"""
_WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE objid = %s AND NOT granted)"


@contextmanager
def gated(server: str, till: Till) -> Iterator[Callable[[], None]]:
    """Within the block, a look of *till* stops when it has its snapshot, before it tries for a lock; what this gives
    waits until one stops there."""
    writer = till.engine.ledger.recorder.writer
    assert isinstance(writer, PostgresConnection)
    number = random.getrandbits(31)  # other tests may run on the same server
    writer.execute(_SLOW.format(gate=number))  # in the schema of the log
    writer.execute(f"SET search_path = {writer.execute('SHOW search_path').fetchone()[0]}, pg_catalog")
    with psycopg.connect(server, autocommit=True) as gate:
        gate.execute("SELECT pg_advisory_lock(%s)", (number,))

        def reached() -> None:
            while gate.execute(_WAITING, (number,)).fetchone() != (True,):
                sleep(0.01)

        yield reached


@pytest.mark.parametrize("more", WAYS)
def test_a_run_that_was_claimed_since_the_look_began(
    till: Till, other: Till, postgres: str, more: dict[str, list[str]]
) -> None:
    """Its lock is free again, and it is due by the look and in memory: it is passed over all the same."""
    oldest, second = submitted(other, 2)
    with ThreadPoolExecutor(1) as thread, gated(postgres, other) as reached:
        claim = thread.submit(other.claim, **more)
        reached()
        assert till.claim(**more).run_id == oldest
    assert (claim.result().run_id, conflicts(till, other)) == (second, 0)
    till.check()


@pytest.mark.parametrize("more", WAYS)
def test_who_decides_again_leaves_others_what_they_decide_about(
    open_till: OpenTill, monkeypatch: pytest.MonkeyPatch, more: dict[str, list[str]]
) -> None:
    """Or one conflict would lead to the next, for as long as there are claims."""
    till, unlucky, third = open_till(), open_till(), open_till()
    runs, met = submitted(till, 3), list[str]()

    def meanwhile() -> None:
        with in_between(monkeypatch, unlucky, lambda: third.acme.cancel(runs[1], **ANA)) as decided:
            met.append(unlucky.claim(**more).run_id)
        assert decided == [True, False]

    with in_between(monkeypatch, till, meanwhile) as decided:
        assert till.claim(**more).run_id == runs[0]
    assert (decided, met, conflicts(till, unlucky)) == ([True], [runs[2]], 1)
    till.check()
