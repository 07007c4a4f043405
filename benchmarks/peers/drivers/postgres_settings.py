"""What PostgreSQL says of a session's durability."""

from collections.abc import Iterable

ASK = "SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes')"


def durable(answer: Iterable[object] | None) -> str:
    """The answer to ASK, asserted: a commit is on the disk when it is acknowledged, as everybody's."""
    found = tuple(answer or ())
    assert found == ("on", "on", "on"), f"{found}: a commit would not be durable"
    return "synchronous_commit=on"
