"""What was answered about the golden logs, and about others that are written anew: what a faster way must answer too.

``python -m tests.forensics.what_if_answers`` writes tests/forensics/golden/what-if.json anew: only where an answer is
meant to be another one.
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import redrive
from redrive.forensics.what_if.counterfactual_log import CounterfactualViews
from tests.forensics.what_if_worlds import WORLDS
from tests.ledger.write_golden import LOGS

FILE = Path(__file__).parent / "golden" / "what-if.json"
SECTIONS: dict[str, dict[str, Any]] = {
    "one attempt": {"retry": {"max_attempts": 1}},
    "five attempts": {"retry": {"max_attempts": 5}},
    "another backoff": {"retry": {"backoff": {"strategy": "fixed", "initial_delay_ms": 7}}},
    "another end": {"retry": {"terminal_behavior": {"mode": "fail_run"}}},
    "one dispatch": {"redrive": {"max_dispatches": 1, "continue_after_recurrence": False}},
    "two attempts": {"retry": {"max_attempts": 2}},
    "every class": {"retry": {"retryable_failure_classes": ["*"], "max_attempts": 4}},
    "by class": {"failure_classes": {"execution_error": {"max_attempts": 1}, "outbox_send": {"max_attempts": 4}}},
    "no limit of time": {"retry": {"max_elapsed_ms": 86_400_000}},
}


def log_of(name: str, folder: Path) -> Path:
    """The golden log of that name, or one that is written to *folder*."""
    if name not in WORLDS:
        return LOGS / f"{name}.db"
    WORLDS[name](folder / "world.db")
    return folder / "world.db"


def answers(golden: Path, folder: Path) -> dict[str, list[str]]:
    """For each policy: attempts and dead letters in words, and a digest of the report and of the views of both ends."""
    shutil.copy(golden, folder / "log.db")
    with redrive.open(f"sqlite:///{folder}/log.db", clock=lambda: 1_900_000_000_000, dice=lambda: 0.5) as engine:
        return {name: _answer(engine, section) for name, section in SECTIONS.items()}


def _answer(engine: redrive.Engine, section: dict[str, Any]) -> list[str]:
    with engine.what_if({"version": 1, "default": section}) as answer:
        report = answer.report
        told = [report.model_dump_json(exclude={"footing"}), *_rows(answer.lower), *_rows(answer.upper)]
        counted = [str(found.counterfactual) for found in (report.attempts, report.dead_letters)]
        return [*counted, hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]]


def _rows(views: CounterfactualViews) -> list[str]:
    return [row.model_dump_json() for page in (views.runs(), views.dead_letters()) for row in page.items]


def main() -> None:
    """Write the file."""
    found: dict[str, dict[str, list[str]]] = {}
    for name in (*sorted(golden.stem for golden in LOGS.glob("*.db")), *WORLDS):
        with tempfile.TemporaryDirectory() as folder:
            found[name] = answers(log_of(name, Path(folder)), Path(folder))
    FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
