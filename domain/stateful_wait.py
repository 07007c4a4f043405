"""Stateful waits: nodes that the engine itself executes, an approval or a timed wait."""

from dataclasses import dataclass

from redrive.domain.errors import InvalidValue
from redrive.domain.values import MAX_INTEGER, JsonValue, clean_integer, clean_text

MAX_WAIT_MS = 3_650 * 86_400_000  # ten years: beyond that somebody meant another unit
MAX_PROMPT_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody must say yes before the run goes on. *prompt* is what they are asked. When nobody has decided
    *timeout_ms* (1 to 315,360,000,000) after the request, the approval expires; None: it never does."""

    prompt: str
    timeout_ms: int | None = None

    def __post_init__(self) -> None:
        prompt = clean_text(self.prompt, "approval.prompt", most=MAX_PROMPT_BYTES, blank=False)
        object.__setattr__(self, "prompt", prompt)
        if self.timeout_ms is not None:
            clean_integer(self.timeout_ms, "approval.timeout_ms", 1, MAX_WAIT_MS)

    def document(self) -> dict[str, JsonValue]:
        """The approval as JSON, without what is at its default."""
        timeout: dict[str, JsonValue] = {} if self.timeout_ms is None else {"timeout_ms": self.timeout_ms}
        return {"prompt": self.prompt, **timeout}


@dataclass(frozen=True, slots=True)
class Wait:
    """Time must pass before the run goes on: *delay_ms* from when the node is ready, or until *until_ms* (UTC).
    Exactly one of them."""

    delay_ms: int | None = None
    until_ms: int | None = None

    def __post_init__(self) -> None:
        if (self.delay_ms is None) == (self.until_ms is None):
            raise InvalidValue("wait", self.document(), "either delay_ms or until_ms")
        if self.delay_ms is not None:
            clean_integer(self.delay_ms, "wait.delay_ms", 0, MAX_WAIT_MS)
        if self.until_ms is not None:
            clean_integer(self.until_ms, "wait.until_ms", 0, MAX_INTEGER)

    def due_ms(self, now_ms: int) -> int:
        """When a wait that begins now is over."""
        return self.until_ms if self.until_ms is not None else now_ms + (self.delay_ms or 0)

    def document(self) -> dict[str, JsonValue]:
        """The wait as JSON."""
        fields: dict[str, JsonValue] = {"delay_ms": self.delay_ms, "until_ms": self.until_ms}
        return {name: value for name, value in fields.items() if value is not None}
