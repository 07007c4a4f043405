"""What is kept of what a command writes."""

import codecs
import re

from redrive.domain.redaction import redact_text

SPARE = 1 << 16  # bytes

_LINE_CUT = 4_096  # how far the tail of the output may be shortened to begin at the start of a line
_WORD = re.compile(rb"[\s\"'&,;]")


class Output:
    """The beginning and the end of a stream, whatever its length: at most *limit* bytes, half of them each."""

    def __init__(self, limit: int) -> None:
        self.head_limit = limit - limit // 2
        self.tail_limit = limit // 2
        self.head = bytearray()
        self.tail = bytearray()
        self.omitted = 0  # bytes

    def feed(self, data: bytes) -> None:
        """Go on with *data*."""
        room = self.head_limit - len(self.head)
        self.head += data[:room]
        self.tail += data[room:]
        if len(self.tail) > self.tail_limit + SPARE:  # seldom, for it moves the whole tail
            self._cut(len(self.tail) - self.tail_limit)

    def _cut(self, count: int) -> None:
        del self.tail[:count]
        self.omitted += count

    def text(self) -> str:
        """What was kept, redacted, with a mark where something is missing."""
        self._cut(max(0, len(self.tail) - self.tail_limit))
        if not self.omitted:
            return redact_text((self.head + self.tail).decode("utf-8", "replace"))
        # A tail that began within a secret would show the rest of it.
        self._cut(_start_of_line(self.tail))
        head = codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(self.head))
        tail = self.tail.decode("utf-8", "replace")
        return f"{redact_text(head)}\n… {self.omitted} bytes omitted …\n{redact_text(tail)}"


def _start_of_line(data: bytearray) -> int:
    """Where the first whole line begins, or the first word when that is far."""
    word = _WORD.search(data, 0, _LINE_CUT)
    return data.find(b"\n", 0, _LINE_CUT) + 1 or (word.start() if word else min(len(data), _LINE_CUT))
