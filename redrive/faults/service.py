"""The world outside: it counts what is asked of it under each idempotency key, and knows what it did."""

from collections import Counter


class SentTwiceError(AssertionError):
    """The engine let an effect out whose success was recorded."""


class Service:
    """Does what it is asked once per call; *recorded* are the effects whose success is durable in the log."""

    def __init__(self) -> None:
        self.came: Counter[str] = Counter()
        self.acted: Counter[str] = Counter()
        self.recorded: set[str] = set()

    def call(self, effect: str, *, acts: bool) -> None:
        """A request arrives. Raises SentTwiceError when the log already says that it was done."""
        self.came[effect] += 1
        self.acted[effect] += acts
        if effect in self.recorded:
            raise SentTwiceError(f"effect {effect} was sent after its success was recorded")

    def problems(self) -> list[str]:
        """What was done more than once."""
        return [f"effect {effect} was done {count} times" for effect, count in self.acted.items() if count > 1]
