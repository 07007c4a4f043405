"""Servers that cannot be reached or let nobody in, and passwords, which are never printed."""

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from redrive.cli.options import Command
from redrive.ledger.urls import hidden
from tests.cli.databases import ran

SECRET = "hunter2"
LETS_IN = "postgresql://ana:hunter2@h/ops"
WRONG = [
    "postgresql://ana:hunter2@db.example",
    "postgresql://ana:hunter2@h1:1,h2:2/ops",
    "postgresql://ana:x@hunter2@db.example/ops",
    "postgresql://ana:x/hunter2@db.example/ops",
    "postgresql://ana:x?hunter2#y@db.example/ops",
    "postgresql://ana:%zzhunter2@db.example/ops",
    "postgresql://db.example?password=hunter2",
    "postgresql://ana:hunter2/ops",
    "postgresql://ana:hunter2",
    "ana:hunter2@db.example/ops",
    "postgresql://ana:hunter2@db.example/ops?schema=pg_x",
    "postgresql+psycopg://ana:hunter2@db.example/ops",
    "mysql://ana:hunter2@db.example/ops",
]


@pytest.mark.parametrize("url", WRONG)
def test_a_url_that_is_refused_keeps_its_password(url: str) -> None:
    """However it was misspelt: bad input, and nothing of the secret on any stream."""
    for words in (["db", "status"], ["runs"], ["db", "init"], ["--json", "db", "status"]):
        result = ran(url, *words)
        assert result.exit_code == 2
        assert SECRET not in result.output + result.stderr


@pytest.fixture
def doorkeeper() -> Iterator[int]:
    """The port of a server that asks for a password, and takes none."""
    refusal = b'SFATAL\0C28P01\0Mpassword authentication failed for user "ana"\0\0'
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            while True:
                try:
                    caller, _ = listening.accept()
                except OSError:
                    return
                with caller:
                    caller.recv(4096)
                    caller.sendall(b"R" + struct.pack(">ii", 8, 3))
                    caller.recv(4096)
                    caller.sendall(b"E" + struct.pack(">i", len(refusal) + 4) + refusal)

        threading.Thread(target=answer, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("words", [["db", "status"], ["db", "init"], ["runs"], ["tick"]])
def test_a_wrong_password_is_said(doorkeeper: int, words: list[str]) -> None:
    """As what it is, without the password."""
    url = f"postgresql://ana:{SECRET}@127.0.0.1:{doorkeeper}/ops?sslmode=disable&gssencmode=disable"
    result = ran(url, *words)
    assert result.exit_code == 5
    assert "is the password right?" in result.stderr
    assert SECRET not in result.output + result.stderr


@pytest.mark.parametrize("words", [["db", "status"], ["runs"]])
def test_a_server_that_is_not_there(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at the port: what was tried is named."""
    monkeypatch.setenv("REDRIVE_CONNECT_TIMEOUT_MS", "0")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        result = ran(f"postgresql://ana:{SECRET}@127.0.0.1:{unused.getsockname()[1]}/ops", *words)
    assert (result.exit_code, "the server cannot be reached" in result.stderr) == (5, True)
    assert SECRET not in result.output + result.stderr


def test_a_database_that_is_not_there(postgres: str) -> None:
    """The way out is named."""
    url = postgres.replace("/postgres?", "/nowhere?")
    result = ran(url, "db", "init")
    assert (result.exit_code, "no such database" in result.stderr) == (5, True)


def test_without_the_extra_it_is_named(tmp_path: Path) -> None:
    """Whoever has no driver is told how to get it, by the command line and by ``redrive.open``."""
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "import redrive\n"
        "try: redrive.open('postgresql://ana:hunter2@h/ops')\n"
        "except redrive.InvalidValue as error: print(error)\n"
        "from redrive.cli import main; sys.argv = ['redrive', 'runs', '--db', 'postgresql://ana:hunter2@h/ops']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    for told in (done.stdout, done.stderr):
        assert "pip install 'redrive[postgres]'" in told
    assert done.returncode == 2
    assert SECRET not in done.stdout + done.stderr


def test_help_names_both_kinds_of_url() -> None:
    """Of the option that every command has."""
    [option] = [param for param in Command("any").params if param.name == "db"]
    assert "sqlite:///" in str(option.help)
    assert "postgresql://" in str(option.help)


@pytest.mark.parametrize("url", ["sqlite:////srv/a:b@c.db", "postgresql://ana@h:5432/ops?host=/run/pg", "bundle:a.tar"])
def test_what_holds_no_password_stays(url: str) -> None:
    """A path may have any letter, and a port is no secret."""
    assert hidden(url) == url
