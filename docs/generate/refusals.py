"""The refusals: what each means, which commands say so, and what to do about it; from the classes and docstrings."""

import inspect
import re
from collections.abc import Iterator

from docs.generate.markdown import code, prose, table
from docs.generate.not_allowed import variants
from redrive import Attempt, Engine, ShardedEngine, TenantEngine
from redrive.cli import failures
from redrive.domain import errors
from redrive.domain.errors import Refused

# What the caller does about it, and the page that says why it is so.
ADVICE = {
    "not-running": ("Stop working on it, and report nothing: somebody ended or took over the run.", "fencing"),
    "stale-epoch": ("Stop working on it: another holder goes on. What it did outside may be done again.", "fencing"),
    "stale-attempt": (
        "Stop: the attempt timed out, was cut off, or has told another outcome. That one stays.",
        "fencing",
    ),
    "key-reused": ("A mistake of the caller: take another key, or send what was sent before.", "guarantees"),
    "not-allowed": ("Look where it stands (`redrive show`, `redrive resume-plan`), then decide again.", "states"),
    "node-not-ready": ("Start what `Progress.ready` or `start_attempts` names; the others wait.", "states"),
    "attempts-running": ("Report the outcome of each attempt first, then release.", "fencing"),
    "limit-reached": (
        "Wait until *retry_at_ms*, or until another attempt ends; release the claim meanwhile.",
        "limits",
    ),
    "retry-unavailable": ("The message says what stands in the way. Reconcile, recover the run, or settle it.", "dead"),
    "budget-spent": ("Find out why it fails so often; then `redrive dead-letters grant` allows more.", "backoff"),
    "in-flight": ("Wait for the outcome; in a handler let it pass: the attempt fails and is made again.", "guarantees"),
    "compensated": ("Leave it: it was, or will be, made good for. To do it after all, take another key.", "made-good"),
    "outcome-pending": ("Report what became of the effect first: succeeded, failed or unknown.", "guarantees"),
    "payload-destroyed": ("Nothing can be done with it but close it: cancel, abandon, ignore.", "privacy"),
    "payload-locked": ("Open the log with its key store: `redrive.Privacy`, or the setting `key_store`.", "privacy"),
    "stream-read-only": ("Use the newer version of redrive that wrote to it; all else goes on here.", "history"),
    "wrong-shard": ("Open all of the logs, in every process: `redrive.open([url, url, …])`.", "shards"),
    "one-shard-only": ("Ask the engine of one log, `engine.shards[i]`; or name one with `--db`.", "shards"),
}
PAGES = {
    "fencing": "[Fencing](../explanation/fencing.md)",
    "guarantees": "[Guarantees](../explanation/guarantees.md)",
    "made-good": "[Compensate an effect](../how-to/compensate-an-effect.md)",
    "states": "[States](states.md)",
    "privacy": "[Erasing personal data](../how-to/erase-personal-data.md)",
    "limits": "[Limits](../how-to/limit-concurrency-and-rate.md)",
    "dead": "[Dead letters](../explanation/dead-letters.md)",
    "backoff": "[Backoff and budget](../explanation/backoff-and-budget.md)",
    "history": "[Events](events.md)",
    "shards": "[Several databases](../how-to/share-tenants-among-databases.md)",
}
_RAISES = re.compile(r"[Rr]aises\s+(.*?)(?:\.\s|\.$|$)", re.DOTALL)


def refused() -> list[type[Refused]]:
    """Every refusal, in the order of domain/errors.py."""
    found = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, Refused)]
    return [cls for cls in found if cls is not Refused]


def said_by(docstring: str | None) -> set[str]:
    """The refusals that a docstring promises after the word Raises."""
    told = " ".join(_RAISES.findall(inspect.cleandoc(docstring or "")))
    return {cls.__name__ for cls in refused() if re.search(rf"\b{cls.__name__}\b", told)}


def commands() -> Iterator[tuple[str, str | None]]:
    """Every public method that may refuse, as ``TenantEngine.pause``, with its docstring."""
    for cls in (TenantEngine, Engine, ShardedEngine, Attempt):
        for name, method in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith("_") and name != "effect_async":
                yield f"{cls.__name__}.{name}", method.__doc__


def refusers(cls: type[Refused]) -> list[str]:
    """The commands that may refuse with *cls*."""
    return [name for name, docstring in commands() if cls.__name__ in said_by(docstring)]


def reference() -> str:
    """A section for each refusal."""
    everywhere = said_by(TenantEngine.__doc__)
    parts = []
    for cls in refused():
        what, page = ADVICE[cls.code]
        names = ", ".join(code(name) for name in refusers(cls))
        by = "every command that would write" if cls.__name__ in everywhere else names
        rows = [("raised by", by), ("what to do", what), ("why", PAGES[page])]
        head = f"### {code(cls.code)}\n\n{code(cls.__name__)}, exit code {failures.exit_code_of(cls.__new__(cls))}."
        parts.append(f"{head} {prose(cls.__doc__)}\n\n{table(('', ''), rows)}")
    return "\n".join(parts)


def not_allowed() -> str:
    """Every reason for which a command does not fit the state of its subject."""
    rows: dict[tuple[str, str], list[str]] = {}
    for one in variants():
        rows.setdefault((one.command, one.of), []).append(one.why)
    return table(("cannot", "of", "because"), ((*key, "<br>".join(whys)) for key, whys in rows.items()))
