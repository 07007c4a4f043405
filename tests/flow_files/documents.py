"""Small workflow documents to vary."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
INSTANCES = ROOT.parent / "shared" / "data" / "wfinstances"


def own(*nodes: dict[str, Any], **keys: Any) -> str:
    """A document in redrive's own format; a node runs ``true`` when it says nothing else."""
    filled = [node if {"run", "handler", "effect"} & set(node) else {"run": ["true"], **node} for node in nodes]
    return json.dumps({"automation": "demo", "version": 1, "nodes": filled, **keys})


def one(**keys: Any) -> str:
    """A document with one node."""
    return own({"id": "only", **keys})


def chain(length: int) -> list[dict[str, Any]]:
    """Nodes that run after one another."""
    return [{"id": f"n{n}", **({"after": [f"n{n - 1}"]} if n else {})} for n in range(length)]


def wfformat(tasks: list[dict[str, Any]], records: list[dict[str, Any]] | None = None, **keys: Any) -> str:
    """A WfFormat document."""
    workflow = {"specification": {"tasks": tasks}, "execution": {"tasks": records or []}}
    return json.dumps({"name": "demo", "schemaVersion": "1.5", "workflow": workflow, **keys})
