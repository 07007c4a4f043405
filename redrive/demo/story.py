"""The demo: an order of five effects, a shop that misbehaves, a worker that is killed, and what the log says of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from redrive.demo.facts import Facts, Line
from redrive.demo.order import INPUT, ORDER, PATIENCE_S, Shop
from redrive.demo.promises import Promise, promises
from redrive.demo.service import Service
from redrive.domain.identity import RunId
from redrive.engine import Engine
from redrive.flow_files import parse_flow
from redrive.opening import open as open_engine
from redrive.processes.ticker import Ticker

LOOK_S = 0.03


class Teller(Protocol):
    """Who tells the story while it happens."""

    def chapter(self, title: str, text: str) -> None:
        """What comes next."""

    def fact(self, line: Line) -> None:
        """Something that the log says."""

    def shop(self, text: str) -> None:
        """Something that the shop's own journal says."""


class Unmet(Exception):
    """The log does not say in time what it should."""


@dataclass(frozen=True)
class Ending:
    """How it ended: every promise, judged; *unmet* says what was waited for in vain."""

    run_id: RunId
    promises: list[Promise]
    events: int
    unmet: str | None

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return self.unmet is None and all(promise.kept for promise in self.promises)


def play(folder: Path, teller: Teller, *, patience_s: float = PATIENCE_S) -> Ending:
    """Play the story in *folder*, with the log ``demo.db``. Everything it starts has ended when it returns."""
    (folder / "order.yaml").write_text(ORDER, encoding="utf-8")
    url, shop = f"sqlite:///{folder / 'demo.db'}", Shop()
    with Service(shop.script) as service, open_engine(url) as engine, Ticker(engine, interval_ms=100):
        file = parse_flow(ORDER, name="order.yaml")
        run_id = engine.local.submit(file.flow, automation=file.automation, input=INPUT, actor="demo")
        story = _Story(engine, run_id, service, shop, teller, folder, patience_s)
        try:
            story.tell()
            unmet = None
        except Unmet as error:
            unmet = str(error)
        facts = Facts(engine.local, run_id)
        return Ending(run_id, promises(facts, service), len(facts.entries), unmet)


@dataclass
class _Story:
    engine: Engine
    run_id: RunId
    service: Service
    state: Shop
    teller: Teller
    folder: Path
    patience_s: float
    told: int = 0

    def tell(self) -> None:
        """All of it. Raises Unmet."""
        with self._worker("first") as first:
            self._busy()
            self._silent()
            self._twice()
            self._killed(first)
        with self._worker("second"):
            self._until("ship", "run.attempt-succeeded", "another worker ships")
            self._count("ship")
            self._dead_letter()
            self._redriven()

    def _busy(self) -> None:
        self.teller.chapter("The shop is busy", "It answers the first request with 503 and Retry-After: 1.")
        self._until("reserve", "run.attempt-succeeded", "the reservation is repeated")
        self._count("reserve")

    def _silent(self) -> None:
        self.teller.chapter("No answer", "It charges, and says nothing. Was it done? Sending again might charge twice.")
        self._until("charge", "run.attempt-succeeded", "the charge is reconciled")
        self._count("charge")

    def _twice(self) -> None:
        self.teller.chapter(
            "Twice", "It prints a label and hangs up. It keeps idempotency keys, so it may be asked again."
        )
        self._until("label", "run.attempt-succeeded", "the label is printed")
        self._count("label")

    def _killed(self, worker: "subprocess.Popen[bytes]") -> None:
        text = "While the request to ship is on its way, the worker is killed with -9. Another one is started."
        self.teller.chapter("kill -9", text)
        if not self.state.shipping.wait(self.patience_s):
            raise Unmet("the request to ship")
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.state.killed.set()
        self._until("ship", "run.attempt-interrupted", "the claim of the dead is taken back")
        self._acted("ship")  # a request that has left is not called back by anybody's death

    def _dead_letter(self) -> None:
        text = "It cannot mail. Two attempts are allowed; then a person has to decide, and asks for a retry too early."
        self.teller.chapter("A dead letter", text)
        self._until("mail", "dead-letter.opened", "a dead letter opens")
        (letter,) = self.engine.local.dead_letters(run=self.run_id, status="open").items
        self.engine.local.request_retry(letter.id, actor="ana", reason="they say it works again")
        self._until("mail", "dead-letter.recurred", "it fails again")

    def _redriven(self) -> None:
        text = "Now it can mail. Nobody asks again: the sweep brings the dead letter back when its backoff is over."
        self.teller.chapter("The sweep", text)
        self._until("", "run.completed", "the sweep redrives it")
        self._count("mail")

    def _until(self, node: str, topic: str, what: str) -> None:
        """Tell what the log says until it says what is waited for. Raises Unmet."""
        end = time.monotonic() + self.patience_s
        while True:
            facts = Facts(self.engine.local, self.run_id)
            news = [entry for entry in facts.entries if entry.position > self.told]
            found = [e.position for e in news if (facts.about(e), e.topic) == (node, topic)]
            last = found[0] if found else max((entry.position for entry in news), default=self.told)
            for line in facts.lines(self.told, last):
                self.teller.fact(line)
            self.told = last
            if found:
                return
            if time.monotonic() > end:
                raise Unmet(what)
            time.sleep(LOOK_S)

    def _acted(self, node: str) -> None:
        """Wait until the shop has done something. Raises Unmet."""
        key, end = Facts(self.engine.local, self.run_id).effect_of(node), time.monotonic() + self.patience_s
        while not self.service.acts(key):
            if time.monotonic() > end:
                raise Unmet(f"the shop does not {node}")
            time.sleep(LOOK_S)

    def _count(self, node: str) -> None:
        key = Facts(self.engine.local, self.run_id).effect_of(node)
        asked, done = len(self.service.calls(key)), self.service.acts(key)
        self.teller.shop(f"{node}: asked {_times(asked)}, did it {_times(done)}")

    @contextmanager
    def _worker(self, name: str) -> "Iterator[subprocess.Popen[bytes]]":
        """A worker process, killed when the block ends, however it does."""
        words = [sys.executable, "-m", "redrive.demo.worker", f"sqlite:///{self.folder / 'demo.db'}", name]
        with (self.folder / "worker.log").open("ab") as output:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, "SHOP": self.service.url},
                start_new_session=True,  # a Ctrl-C at the terminal is for the demo, which ends it
            )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
