"""``redrive.open``: of one URL, or of several that share the tenants among them."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import wraps
from inspect import signature
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, cast, overload

from redrive.domain.errors import InvalidValue
from redrive.engine import Engine
from redrive.opening import open as open_one
from redrive.sharding.sharded_engine import ShardedEngine

P = ParamSpec("P")
Q = ParamSpec("Q")
MOST_SHARDS = 100
Urls = list[str] | tuple[str, ...]
_OF_ONE_LOG = {
    "limits": "limits that are set on each log, divided by you: engine.shards[i].set_limit",
    "pin_file": "one file for each log: engine.shards[i].anchor(redrive.PinAnchor(…))",
}


class Open(Protocol, Generic[P, Q]):
    """A function that opens one URL, or several."""

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Engine: ...
    @overload
    def __call__(self, url: Urls, /, *args: Q.args, **kwargs: Q.kwargs) -> ShardedEngine: ...


def _or_several(one: Callable[P, Engine], _same: Callable[Concatenate[str, Q], Engine]) -> Open[P, Q]:
    """A function that opens one URL as *one* does, and several as a ShardedEngine."""

    @wraps(one)
    def opened(*args: Any, **kwargs: Any) -> Engine | ShardedEngine:
        given = bound.bind(*args, **kwargs).arguments
        url = given.pop("url", None)
        if not isinstance(url, (list, tuple)):
            return cast(Any, one)(*args, **kwargs)  # type: ignore[no-any-return]
        return open_shards(url, given)

    bound = signature(one)
    return cast("Open[P, Q]", opened)


def open_shards(urls: Sequence[str], options: dict[str, Any]) -> ShardedEngine:
    """Open every log, or none. Raises InvalidValue, ShardMissing, StorageError."""
    if not 1 <= len(urls) <= MOST_SHARDS:
        raise InvalidValue("db", urls, f"1 to {MOST_SHARDS} URLs")
    for name, accepted in _OF_ONE_LOG.items():
        if options.get(name):
            raise InvalidValue(name, options[name], accepted)
    with ExitStack() as opened:
        by_id: dict[str, tuple[str, Engine]] = {}
        for url in urls:
            if not isinstance(url, str):
                raise InvalidValue("db", url, "URLs as text")
            engine = open_one(url, **options)
            opened.callback(engine.close)
            if (known := by_id.get(engine.ledger.id)) is not None:
                raise InvalidValue("db", url, f"another log than {known[0]}: it is the same, or a copy of it")
            by_id[engine.ledger.id] = (url, engine)
        engines = [engine for _, engine in by_id.values()]
        _require_own_views(engines)
        sharded = ShardedEngine(engines)
        opened.pop_all()
    return sharded


def _require_own_views(engines: Sequence[Engine]) -> None:
    """Raises InvalidValue when two logs would keep their views in one file: they would fold it anew by turns."""
    paths = [engine.views.path for engine in engines if engine.views.path is not None]
    if len(set(paths)) < len(paths):
        accepted = "a folder for logs whose files have different names, or nothing: views then lie beside their log"
        raise InvalidValue("views", paths[0], accepted)


open = _or_several(open_one, open_one)  # noqa: A001
