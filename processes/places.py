"""Places: how many attempts a worker may start, beside those that it has in hand."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from redrive.domain.identity import NodeId
from redrive.domain.limits import keys_of_run
from redrive.domain.ports import Transaction
from redrive.domain.run.ahead import may_wait
from redrive.domain.run.state import Run
from redrive.processes.capacity import Starter, Starting, admit


class Places(NamedTuple):
    """*now*: attempts whose handlers begin at once (None: any number); *ahead*: beside them, attempts that wait until
    one of the others has ended."""

    now: int | None
    ahead: int = 0

    @property
    def taken(self) -> bool:
        """Whether there is none."""
        return self.now is not None and self.now <= 0 and self.ahead <= 0

    @property
    def total(self) -> int:
        """How many there are; only where their number is bounded."""
        assert self.now is not None
        return max(0, self.now) + max(0, self.ahead)

    def after(self, started: int) -> "Places":
        """What is left when so many more were started: what begins at once comes first."""
        if self.now is None:
            return self
        now = max(0, self.now - started)
        return Places(now, self.total - started - now)


@dataclass(slots=True)
class Free:
    """The places that are left while a turn's commands start attempts one after the other. A ledger may run a command
    again: what it took the first time is then free again. *ask*, if any, tells them when the first command asks."""

    places: Places
    ask: Callable[[], Places] | None = None
    taken: dict[Hashable, int] = field(default_factory=dict)
    used: int = 0

    def left(self, key: Hashable) -> Places:
        """What is left for the command *key*, which begins, perhaps anew."""
        if self.ask is not None:
            self.places, self.ask = self.ask(), None
        self.used -= self.taken.pop(key, 0)
        return self.places.after(self.used)

    def take(self, key: Hashable, started: int) -> Places:
        """Note how many the command *key* has started; what is left for the next."""
        self.taken[key] = started
        self.used += started
        return self.places.after(self.used)


def concerned(tx: Transaction, run: Run, node: NodeId) -> bool:
    """Whether a limit has a say in an attempt of *node*: what waits in hand must not take what others could use."""
    if not tx.limited:
        return False
    keys = (*keys_of_run(run.tenant), *run.flow.nodes[node].limit_keys)
    return any(tx.limits.known(key) is not None for key in keys)


def admit_within(tx: Transaction, run: Run, nodes: Iterable[NodeId], places: Places, starter: Starter) -> Starting:
    """Choose from *nodes*, in their order, what has a place and what limits allow to start together."""
    if places.now == 0 and places.ahead:  # nobody asks limits for what cannot begin
        admitted = Starting(possible=bool(nodes))
    else:
        admitted = admit(tx, run, nodes, places.now, starter)
    spare = 0 if places.now is None else places.total - len(admitted.nodes)
    for node in nodes if places.ahead else ():
        if spare <= 0:
            break
        if node not in admitted.nodes and may_wait(run, node) and not concerned(tx, run, node):
            admitted.nodes[node] = ()
            spare -= 1
    return admitted
