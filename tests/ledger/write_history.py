"""Writes tests/history/<topic>.<version>.json for events that have no sample yet; what is there is never touched.

Run it after adding an event or a version of one: ``python -m tests.ledger.write_history``
"""

from pathlib import Path

from redrive.ledger.persistence import EventMapper
from tests.ledger.samples import enveloped, samples_of
from tests.ledger.world import catalogue

FOLDER = Path(__file__).parents[1] / "history"


def file_of(key: str, folder: Path = FOLDER) -> Path:
    """The file of the samples of ``topic/version``: one stored state per line."""
    return folder / f"{key.replace('/', '.')}.json"


def write_missing(folder: Path = FOLDER) -> list[Path]:
    """Write the samples of topics that have none, and name the files."""
    written = []
    mapper = EventMapper.__new__(EventMapper)
    for key in sorted(catalogue()):
        path = file_of(key, folder)
        if not path.exists():
            states = [mapper.to_stored_event(enveloped(event)).state for event in samples_of(key)]
            path.write_bytes(b"".join(state + b"\n" for state in states))
            written.append(path)
    return written


if __name__ == "__main__":
    for new in write_missing():
        print(new)  # noqa: T201
