"""Resource keys: the name of a node of a run, as a URI."""

from urllib.parse import quote


def node_resource(automation: str, run: str, node: str) -> str:
    """``automation://{automation}/runs/{run}/nodes/{node}``, each part percent-encoded."""
    parts = (quote(part, safe="", errors="replace") for part in (automation, run, node))
    return "automation://{}/runs/{}/nodes/{}".format(*parts)
