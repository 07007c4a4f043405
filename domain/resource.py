"""Resource keys: the name of a node of a run, as a URI."""

from functools import lru_cache
from urllib.parse import quote


def node_resource(automation: str, run: str, node: str) -> str:
    """``automation://{automation}/runs/{run}/nodes/{node}``, each part percent-encoded."""
    return f"automation://{_quoted(automation)}/runs/{quote(run, safe='', errors='replace')}/nodes/{_quoted(node)}"


@lru_cache(maxsize=4_096)
def _quoted(name: str) -> str:
    return quote(name, safe="", errors="replace")
