"""The checks of a graph that can name the place in the document; Flow itself finds cycles."""

from collections.abc import Collection, Sequence

from redrive.domain.errors import InvalidFlow
from redrive.flow_files.nearest import nearest

MAX_NODES = 100_000


def require_size(nodes: object, path: str) -> None:
    """Raises InvalidFlow when the list of *nodes* is empty or endless; what is no list is refused elsewhere."""
    if isinstance(nodes, list) and not nodes:
        raise InvalidFlow(path, "<an empty list>", "at least one node")
    if isinstance(nodes, list) and len(nodes) > MAX_NODES:
        raise InvalidFlow(path, f"<a list of {len(nodes)}>", f"at most {MAX_NODES:,} nodes")


def checked_ids(ids: Sequence[str], path: str) -> dict[str, int]:
    """Each id with its place in the list at *path*. Raises InvalidFlow for one that comes twice."""
    places: dict[str, int] = {}
    for place, id_ in enumerate(ids):
        if places.setdefault(id_, place) != place:
            raise InvalidFlow(f"{path}[{place}].id", id_, f"each id once; {path}[{places[id_]}] has it already")
    return places


def require_known(names: Sequence[str], known: Collection[str], path: str) -> None:
    """Raises InvalidFlow for the first of *names*, the list at *path*, that is not *known*."""
    for place, name in enumerate(names):
        if name not in known:
            raise InvalidFlow(f"{path}[{place}]", name, f"the id of a node in this file{nearest(name, known)}")
