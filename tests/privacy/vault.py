"""A shop whose payloads are encrypted, and a search for what must not be found in any of its files."""

from pathlib import Path
from typing import Any

import pytest

from redrive import Failure, Privacy, RunId
from redrive.privacy import destruction
from tests.engine.outworld import Till
from tests.processes.workshop import ACME, ANA, beside, policy
from tests.stores import in_postgres

CANARY = "xyzzy-canary"
ERASE: dict[str, Any] = {"actor": "dpo", "reason": "request 17"}
FLOW = beside("a", retry=policy(1))


class Vault(Till):
    """An engine with a key store beside its log, in a folder of its own."""

    def __init__(self, folder: Path, **options: Any) -> None:
        (folder / "data").mkdir(exist_ok=True)
        self.keys = folder / "keys.db"
        super().__init__(folder / "data" / "log.db", privacy=Privacy(str(self.keys)), **options)

    @property
    def home(self) -> Path:
        """What the files that belong to the log are named after: on a server it lies elsewhere than they do."""
        return Path(self.engine.ledger.home)

    def files(self) -> list[Path]:
        """The log's own file, where it is one, and whatever is named after it or lies beside it."""
        folders = [self.path.parent, *self.home.parent.glob(f"{self.home.name}*")]
        beneath = [path for folder in folders for path in (folder, *folder.rglob("*"))]
        return sorted({path for path in beneath if path.is_file()})

    def found(self, text: str = CANARY) -> list[str]:
        """The files that hold *text*, and the rows of the log, where that lies on a server."""
        rows = [f"events {row[0]}" for row in self.stored() if in_postgres() and text.encode() in row[4]]
        return [path.name for path in self.files() if text.encode() in path.read_bytes()] + rows

    def filled(self, subject: str | None = "ana", key: str = "k", **more: Any) -> RunId:
        """A run that has failed: its input, a request, a receipt, a reason and a note hold the canary."""
        run = self.submit(FLOW, key=key, subject=subject, input={"who": f"{CANARY}-input"}, **more)
        attempt = self.claim().attempts[0]
        attempt.effect(
            "pay", operation="POST /payments", request={"iban": f"{CANARY}-request"}, send=lambda: f"{CANARY}-receipt"
        )
        self.acme.fail_attempt(attempt, Failure("broken", f"{CANARY}-reason", final=True))
        self.acme.note(run, f"{CANARY}-note", actor="ana")
        self.acme.pause(run, actor="ana", reason=f"{CANARY}-why")
        self.engine.views.catch_up()
        return run

    def destroy(self, subject: str = "ana") -> Any:
        """Destroy the key of a subject."""
        return self.engine.destroy_key(subject, tenant=ACME, **ERASE)

    def destroy_only(self, subject: str = "ana") -> None:
        """Destroy a key, and close nothing that is unfinished: what others see in the midst of it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(destruction, "_close", lambda *_: 0)
            self.destroy(subject)

    def stored(self) -> list[tuple[Any, ...]]:
        """The rows of the log as they lie in the file."""
        return self.engine.ledger.recorder.writer.execute("SELECT * FROM events ORDER BY position").fetchall()

    def resume(self, run: RunId) -> None:
        """An operator's command that needs no payload."""
        self.acme.resume(run, **ANA)
