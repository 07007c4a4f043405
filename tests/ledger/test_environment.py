"""A host that uses the eventsourcing library itself sets its variables; none of them is for the log of redrive."""

from pathlib import Path

import pytest

import redrive
from redrive.ledger.application import LogApplication
from tests.stores import log_url
from tests.stores import store as store  # noqa: PLC0414

OF_THE_HOST = {
    "CIPHER_TOPIC": "eventsourcing.cipher:AESCipher",
    "CIPHER_KEY": "x",
    "COMPRESSOR_TOPIC": "zlib",
    "IS_SNAPSHOTTING_ENABLED": "y",
    "PERSISTENCE_MODULE": "eventsourcing.postgres",
    "POSTGRES_ENABLE_DB_FUNCTIONS": "y",
    "SQLITE_DBNAME": "/nowhere/at/all.db",
}


@pytest.mark.parametrize("prefix", ["", "LOGAPPLICATION_"])
def test_variables_of_the_host_change_nothing(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """Neither how events are stored, nor by what: nothing is compressed, encrypted, or appended by a function of the
    database, which would lose the order that readers rely on."""
    for name, value in OF_THE_HOST.items():
        monkeypatch.setenv(prefix + name, value)
    with redrive.open(log_url(tmp_path / "log.db"), views=str(tmp_path)) as engine:
        run = engine.local.submit(redrive.Flow([redrive.Node("a")]), automation="nightly")
        states = [row[4] for row in engine.ledger.recorder.rows_after(0, 10)]
    assert (store, len(states)) == (store, 3)
    assert all(state.startswith(b'{"id":') for state in states)
    assert run.encode() in states[-1]


def test_an_application_has_the_settings_that_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment holds by now, or a later version of the library looks for."""
    monkeypatch.setenv("ANYTHING", "at all")
    application = LogApplication("redrive.ledger.sqlite.recorder:SqliteRecorder")
    assert sorted(application.env) == [
        "APPLICATION_RECORDER_TOPIC",
        "MAPPER_TOPIC",
        "ORIGINATOR_ID_TYPE",
        "PERSISTENCE_MODULE",
    ]
