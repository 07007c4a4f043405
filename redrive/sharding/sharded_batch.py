"""A batch over several logs: one commit for each."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from redrive.domain.errors import InvalidValue, OneShardOnly
from redrive.ledger.pending import Pending

if TYPE_CHECKING:
    from redrive.sharding.sharded_engine import ShardedEngine

P = ParamSpec("P")
T = TypeVar("T")


class ShardedBatch:
    """Commands that are committed when the ``with`` block ends, those of a log together. One refusal harms no other,
    nor does a log that cannot be written harm the commands of another log."""

    def __init__(self, engine: "ShardedEngine") -> None:
        self._engine = engine
        self._jobs: dict[str, list[Pending[Any]]] = {}
        self._open = False

    def add(self, command: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Pending[T]:
        """Queue a command of a ``TenantEngine``; its ``result()`` exists after the block. Bad values raise here."""
        if not self._open:
            raise InvalidValue("batch", "closed", "commands that are added within its with block")
        pending = self._engine.shards[0].ledger.collect(command, *args, **kwargs)
        tenant = pending.caller.tenant
        if tenant is None:
            raise OneShardOnly("batch", len(self._engine.shards))
        self._jobs.setdefault(self._engine.shard_of(tenant).ledger.id, []).append(pending)
        return pending

    def __enter__(self) -> Self:
        if self._jobs:
            raise InvalidValue("batch", "used", "a batch that is used once")
        self._open = True
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_error: object) -> None:
        self._open = False
        if error_type is not None:
            return
        trouble: Exception | None = None
        for shard in self._engine.shards:
            if jobs := self._jobs.get(shard.ledger.id):
                try:
                    shard.ledger.committer.commit_together(jobs)
                except Exception as error:  # noqa: BLE001 - closed, for one: the other logs' commands are committed
                    trouble = trouble or error
        if trouble is not None:
            raise trouble
