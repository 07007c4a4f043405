"""Values on their way to the server and back: what comes back is what went there, and what the driver makes of it."""

from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redrive.ledger.postgres.connection import PostgresConnection
from redrive.ledger.postgres.values import dumped
from redrive.ledger.storage_errors import DatabaseFault

NUMBERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def connection(request: pytest.FixtureRequest) -> Any:
    """A connection to the server of the tests."""
    raw = psycopg.connect(request.getfixturevalue("postgres"), autocommit=True)
    yield PostgresConnection(raw)
    raw.close()


@settings(max_examples=150, deadline=None)
@given(
    number=NUMBERS | st.none(),
    text=TEXTS | st.none(),
    data=st.binary() | st.none(),
    numbers=st.lists(NUMBERS),
    texts=st.lists(TEXTS | st.none()),
    blobs=st.lists(st.binary()),
)
def test_what_went_there_comes_back(connection: PostgresConnection, **sent: Any) -> None:
    """Also NUL, the marks that stand for it, and the end of every range; lists as the server unfolds them."""
    row = connection.execute(
        "SELECT ?::bigint, ?::text, ?::bytea, ?::boolean", (sent["number"], sent["text"], sent["data"], None)
    ).fetchone()
    assert row == (sent["number"], sent["text"], sent["data"], None)
    for values, kind in ((sent["numbers"], "bigint"), (sent["texts"], "text"), (sent["blobs"], "bytea")):
        found = connection.execute(f"SELECT unnest(?::{kind}[])", (values,)).fetchall()
        assert [value for (value,) in found] == values
    assert connection.execute("SELECT ?::text[]", (sent["texts"],)).fetchone() == (sent["texts"],)


def test_other_types_of_the_server_are_read_by_the_driver(connection: PostgresConnection) -> None:
    """Sums are numeric there, sizes are double."""
    row = connection.execute("SELECT sum(n), avg(n::float8), true, 'a'::name FROM unnest(?::bigint[]) AS n", ([1, 2],))
    total, average, truth, _ = row.fetchone()
    assert (int(total), average, truth) == (3, 1.5, True)


def test_a_lone_surrogate_is_replaced() -> None:
    """Nothing of that name is there, and nothing breaks."""
    assert dumped(["a\ud800"])[0] == [b"a?"]


@pytest.mark.parametrize("value", [1.5, object(), {"a": 1}, [1.5]])
def test_what_no_column_holds_is_refused(connection: PostgresConnection, value: Any) -> None:
    """By a fault of the database, as any other value that it does not take."""
    with pytest.raises(psycopg.ProgrammingError, match="no column of a log holds"):
        dumped([value])
    raw = psycopg.connect(connection.raw.info.dsn, autocommit=True)
    with pytest.raises(DatabaseFault):
        PostgresConnection(raw).execute("SELECT ?", (value,))
    raw.close()
