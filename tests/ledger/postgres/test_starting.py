"""A server that is starting, or not there yet, when a log is opened: it is waited for, but not for ever."""

import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import redrive
from redrive.cli.root import cli
from redrive.domain.errors import StorageError
from redrive.ledger import starting
from tests.ledger.postgres.silence import Way
from tests.stores import SERVER, log_url

STARTING = ("57P03", "the database system is starting up")
PASSWORD = ("28P01", 'password authentication failed for user "ana"')
LONG_MS = 600_000


class Late(Way):
    """A way to the server on which the first who come are not let in, and are told why."""

    def __init__(self, server: str, refusals: list[tuple[str, str]]) -> None:
        self.refusals = refusals
        super().__init__(server)

    def _listen(self) -> None:
        while self.refusals:
            try:
                client, _ = self._listening.accept()
            except OSError:  # it was closed
                return
            with client:
                client.recv(4_096)
                code, message = self.refusals.pop(0)
                fields = b"".join(f"{field}\0".encode() for field in ("SFATAL", "VFATAL", f"C{code}", f"M{message}"))
                client.sendall(b"E" + struct.pack(">i", len(fields) + 5) + fields + b"\0")
        super()._listen()


@pytest.fixture(name="pauses")
def _pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How often and how long was waited; nobody does."""
    found: list[float] = []
    monkeypatch.setattr(starting, "sleep", found.append)
    return found


@pytest.fixture(name="late")
def _late(postgres: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Makes the URL of a log by a way on which it is so refused at first."""
    ways: list[Way] = []

    def url(*refusals: tuple[str, str]) -> str:
        ways.append(Late(postgres, list(refusals)))
        monkeypatch.setenv(SERVER, f"{ways[-1].url}&gssencmode=disable")
        return log_url(tmp_path / "log.db")

    yield url
    for way in ways:
        way.close()


def test_a_server_that_is_starting_is_waited_for(late: Callable[..., str], pauses: list[float]) -> None:
    """Until it lets somebody in."""
    with redrive.open(late(STARTING, STARTING), connect_timeout_ms=LONG_MS) as engine:
        assert engine.local.runs().items == ()
    assert len(pauses) == 2


def test_a_server_that_is_not_there_yet_is_waited_for(
    postgres: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody listens at first; somebody does by the time it is tried again."""
    way = Way(postgres)
    monkeypatch.setenv(SERVER, way.url)
    url = log_url(tmp_path / "log.db")
    way.close()

    def appear(_: float) -> None:
        way._listening = socket.create_server(("127.0.0.1", way.port))
        way.listen()

    monkeypatch.setattr(starting, "sleep", appear)
    redrive.open(url, connect_timeout_ms=LONG_MS).close()
    way.close()


@pytest.mark.parametrize("command", [["runs"], ["db", "status"], ["db", "init"]])
def test_commands_wait_too(late: Callable[..., str], pauses: list[float], command: list[str]) -> None:
    """Also those that look at the database before they open the log."""
    url = late(STARTING)
    result = CliRunner().invoke(cli, ["--db", url, *command], env={"REDRIVE_CONNECT_TIMEOUT_MS": str(LONG_MS)})
    assert (len(pauses), "starting" in result.output) == (1, False)


def test_it_is_not_waited_for_longer_than_was_said(late: Callable[..., str], pauses: list[float]) -> None:
    """Then the error says what the server said."""
    with pytest.raises(StorageError, match=r"the server is starting or stopping; try again .*starting up"):
        redrive.open(late(*[STARTING] * 9), connect_timeout_ms=0)
    assert pauses == []


@pytest.mark.parametrize("address", [None, "postgresql://ana@no-such-host.invalid/ops"])
def test_who_is_refused_does_not_wait(late: Callable[..., str], pauses: list[float], address: Any) -> None:
    """A wrong password, or a host that does not exist, is wrong a second later, too."""
    with pytest.raises(StorageError):
        redrive.open(address or late(PASSWORD), connect_timeout_ms=LONG_MS)
    assert pauses == []
