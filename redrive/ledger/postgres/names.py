"""What is named after a log on a server: its write lock, and the files that lie on this machine."""

import hashlib

from redrive.ledger.postgres.address import Address
from redrive.ledger.state_folder import state_folder


def lock_key(schema: str, turn: str = "") -> int:
    """The advisory lock of those who write to the log in a schema of this database, or of those who take turns in
    something: of the place, not of the log, because another may come there."""
    name = f"redrive {schema} {turn}" if turn else f"redrive {schema}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def home_of(address: Address, ledger_id: str) -> str:
    """What files of the log are named after: a copy of it elsewhere has files of its own."""
    which = hashlib.sha256(f"{address.label} {ledger_id}".encode()).hexdigest()[:8]
    return str(state_folder() / f"{address.database}.{address.schema}-{which}")
