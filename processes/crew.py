"""The worker of several logs: a crew of one worker for each, which share the slots and end together."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redrive.domain.errors import EngineClosed, InvalidValue
from redrive.domain.event import Recorded
from redrive.domain.values import clean_integer
from redrive.processes.handlers import Handler
from redrive.processes.places import Free, Places
from redrive.processes.services import Embedded, Served, engines_given, own_name
from redrive.processes.shared_room import Room
from redrive.processes.slots import Slots
from redrive.processes.turns import Ended, Turns
from redrive.processes.worker import WAKING, Worker


class LogTurns(Turns):
    """The turns of one log, within the room that all share. Slots are taken when the log can be written, so that none
    waits with it for the writer's lock."""

    number: int
    room: Room
    denied = False  # whether the last turn had no room for anything new: what is due then only waits for its turn
    _going_on = 0

    def turn(self, ended: list[Ended], slots: Slots, *, claim: bool) -> bool:
        """Commit one turn, as ``Turns.turn``."""
        if not claim:
            self._places = Places(len(self.running()))
            return self._settled(super().turn, ended, slots, claim=False)
        self._going_on = len(self.running()) - sum(1 for attempt, *_ in ended if self._runs(attempt))
        self._given(self.room.look(self.number, self._going_on))
        return self._settled(super().turn, ended, slots, claim=True)

    def _free(self, ended: int) -> Free:
        def take() -> Places:
            self._given(self.room.take(self.number, self._going_on))
            return self.places(ended)

        return Free(self.places(ended), take)

    def _given(self, places: int) -> None:
        self._places, self.denied = Places(places), places == self._going_on

    def _settled(self, turn: Callable[..., bool], *args: Any, **options: Any) -> bool:
        try:
            return turn(*args, **options)
        finally:
            self.room.settle(self.number, len(self.running()))

    def _runs(self, attempt: Any) -> bool:
        held = self.held.get(attempt.run_id)
        return held is not None and held.running.get(attempt.id) is attempt


class LogWorker(Worker):
    """The worker of one log among several."""

    _turns_of = LogTurns
    idle: Callable[[Callable[[], bool]], bool]

    def __init__(self, engine: Embedded, handlers: Mapping[str, Handler], **options: Any) -> None:
        super().__init__(engine, handlers, **options)
        self._interrupted = False

    def take_part(self, number: int, room: Room, idle: Callable[[Callable[[], bool]], bool]) -> None:
        """Be worker *number*; *idle* says, given how to find out about this one, whether all are."""
        assert isinstance(self._turns, LogTurns)
        self._turns.number, self._turns.room, self.idle = number, room, idle

    def wake(self) -> None:
        """Look at once what is to be done."""
        self._ended.put(None)

    def interrupt(self) -> None:
        """Give everything back at once, as on Ctrl-C."""
        self._interrupted = True
        self.wake()

    def follow(self, listener: Callable[[Sequence[Recorded]], None]) -> Callable[[], None]:
        """Have *listener* told what this process commits to the log."""
        return self._ledger.subscribe(listener)

    def _is_idle(self, wait: bool) -> bool:
        return self.idle(lambda: self._nothing_is_left(wait))

    def _nothing_is_left(self, wait: bool) -> bool:
        assert isinstance(self._turns, LogTurns)
        if self._turns.denied:
            self._stalled = 0
            return False
        return super()._is_idle(wait)

    def _wait(self, seconds: float) -> list[Ended]:
        found = super()._wait(seconds)
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt
        return found


class Crew(Worker):
    """What ``Worker`` is, of several engines: the parameters are the same, and each log has a worker of its own. One
    that cannot be read or written stops nobody else's work; what is left of *concurrency* goes to each in its turn."""

    def __init__(
        self,
        engine: Served,
        handlers: Mapping[str, Handler],
        *,
        name: str | None = None,
        concurrency: int = 8,
        **options: Any,
    ) -> None:
        self.name = name or own_name()
        self.concurrency = clean_integer(concurrency, "concurrency", 1, 1_024)
        if options.get("batch", 1) != 1:
            accepted = "1 for a worker of several logs: for a batch, start a worker of each log (engine.shards[i])"
            raise InvalidValue("batch", options["batch"], accepted)
        more: dict[str, Any] = {"name": self.name, "concurrency": concurrency, **options}
        self._crew = [LogWorker(one, handlers, **more) for one in engines_given(engine)]
        room = Room(self.concurrency, len(self._crew), lambda number: self._crew[number].wake())
        for number, one in enumerate(self._crew):
            one.take_part(number, room, lambda own, number=number: self._are_idle(number, own))  # type: ignore[misc]
        self._room = room
        self._ended_by_stop = threading.Event()
        self._quiet, self._leaving = [False] * len(self._crew), [False] * len(self._crew)
        self._missed = False

    def run(self) -> None:
        """Work until ``stop()``."""
        try:
            self._all(Worker.run)
        finally:
            self._ended_by_stop.clear()

    def run_until_idle(self, *, wait: bool = True) -> None:
        """Work until nothing is left in any log that this worker could do; *wait* as for one log."""
        try:
            self._missed = True
            while self._missed and not self._ended_by_stop.is_set():
                self._missed = False
                self._all(lambda one: one.run_until_idle(wait=wait))
        finally:
            self._ended_by_stop.clear()

    def stop(self) -> None:
        """Claim and start nothing more; ``run`` returns once the running attempts have ended."""
        self._ended_by_stop.set()
        for one in self._crew:
            one.stop()

    def abort(self) -> None:
        """Stop, and tell the running handlers to."""
        self._ended_by_stop.set()
        for one in self._crew:
            one.abort()

    def _all(self, work: Callable[[Worker], None]) -> None:
        """Have every worker work, each in a thread of its own; raises what one of them raised, once all have ended."""
        self._quiet, self._leaving = [False] * len(self._crew), [False] * len(self._crew)
        errors: list[BaseException] = []
        leave = [one.follow(self._noticing(number)) for number, one in enumerate(self._crew)]
        threads = [
            threading.Thread(target=self._work_as, args=(number, work, errors), name=f"{self.name}-log-{number}")
            for number in range(len(self._crew))
        ]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:  # Ctrl-C above all
            for one in self._crew:
                one.interrupt()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
            raise
        finally:
            for left in leave:
                left()
        if errors:
            raise next((error for error in errors if not isinstance(error, EngineClosed)), errors[0])

    def _work_as(self, number: int, work: Callable[[Worker], None], errors: list[BaseException]) -> None:
        try:
            work(self._crew[number])
        except BaseException as error:  # noqa: BLE001 - raised where the others have ended too
            errors.append(error)
            for other in self._crew:
                if other is not self._crew[number]:
                    other.stop()
        finally:
            self._quiet[number] = True
            self._room.leave(number)

    def _are_idle(self, number: int, own: Callable[[], bool]) -> bool:
        """Whether all are idle, as far as each knows of itself; then they are woken to find out as well."""
        self._leaving[number] = True  # first: what comes from here on is noticed
        self._quiet[number] = own()
        if all(self._quiet):
            for one in self._crew:
                one.wake()
            return True
        self._leaving[number] = False
        return False

    def _noticing(self, number: int) -> Callable[[Sequence[Recorded]], None]:
        """A listener for work that is made in a log whose worker is about to end."""

        def notice(events: Sequence[Recorded]) -> None:
            if self._leaving[number] and any(event.topic in WAKING for event in events):
                self._missed = True

        return notice
