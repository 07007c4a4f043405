"""Opening a log: what the host gives is checked first, then an engine is put together; nothing stays open when that
fails."""

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from redrive import __version__
from redrive.domain.classifier import Classifier
from redrive.domain.errors import InvalidValue
from redrive.domain.event import Recorded
from redrive.domain.identity import Tenant
from redrive.domain.limits import Limit
from redrive.domain.ports import Caller, Transaction
from redrive.domain.redaction import Redactor
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.run.state import Run
from redrive.domain.values import MAX_INTEGER, clean_integer
from redrive.engine import Engine
from redrive.evidence.custody import Custody, key_file_given, path_given
from redrive.ledger.ledger import LogLedger
from redrive.ledger.starting import awaited
from redrive.ledger.state_folder import state_folder
from redrive.ledger.urls import location_of
from redrive.privacy.wiring import attach, require_usable
from redrive.processes.capacity import setting_limit
from redrive.processes.decision_lines import DecisionLines
from redrive.processes.given import function_given, functions_given, instance_given, listeners_given
from redrive.processes.host import this_process
from redrive.processes.letters import OnePolicy, PolicyOf
from redrive.processes.outbox import Gate, Reconciler
from redrive.processes.services import Services
from redrive.projections.logs import log
from redrive.projections.view import View, view_path

if TYPE_CHECKING:
    from redrive.privacy.options import Privacy

Listener: TypeAlias = Callable[[Recorded], object]
"""Told of each event that this process commits, after the commit and in its thread: not a coroutine function."""
RedrivePolicies = RedrivePolicy | Callable[[Tenant, str], RedrivePolicy]
MAX_BUSY_TIMEOUT_MS = 2**31 - 1  # what SQLite and libpq take
SettingLimits = list[tuple[Limit, Callable[[Transaction], Limit]]]


def open(  # noqa: A001, PLR0913  (redrive.open reads well; all have defaults)
    url: str = "sqlite:///redrive.db",
    *,
    clock: Callable[[], int] | None = None,
    dice: Callable[[], float] | None = None,
    listeners: Sequence[Listener] = (),
    redrive_policy: RedrivePolicies | None = None,
    classifier: Classifier | None = None,
    redactor: Redactor | None = None,
    gate: Gate | None = None,
    reconcilers: Mapping[str, Reconciler] | None = None,
    views: str | Path | None = None,
    busy_timeout_ms: int = 10_000,
    connect_timeout_ms: int = 5_000,
    cache_bytes: int = 268_435_456,
    limits: Sequence[Limit] = (),
    seal: bool | None = None,
    key_file: str | Path | None = None,
    pin_file: str | Path | None = None,
    privacy: "Privacy | None" = None,
) -> Engine:
    """Open a log, creating it when there is none.

    *url*: ``sqlite:///relative.db``, ``sqlite:////absolute.db``, or ``postgresql://user@host/database?schema=name``
    (``redrive[postgres]``; the schema, ``redrive`` by default, holds one log); with a list of URLs, ``redrive.open``
    gives a ShardedEngine: the tenants are shared among these logs. *clock* returns UTC milliseconds, *dice* a float in
    [0, 1). *listeners* are told, after the commit, every event that this process commits, best effort; they may query,
    not command. *redrive_policy* is one for all, or a function of tenant and automation. *gate* is asked before every
    effect and may withhold it; *reconcilers* (operation → function) find out what became of effects whose outcome is
    unknown. *limits* are set where the log has another or none, and stay until they are removed; one that a human
    operator changed last stays as it is, with a warning `limit.kept`. *views* is the folder for the query views
    (default: beside the log; for one on a server, or that cannot be written to here and is only asked,
    ``$XDG_STATE_HOME/redrive``, that is ``~/.local/state/redrive``).

    *busy_timeout_ms*: how long to wait for who writes to the log; *connect_timeout_ms*: how long a server is waited for
    that is starting, or not there yet. *cache_bytes*: memory for the states of runs.

    *seal*: whether what is new is sealed in the background, from the first event that this engine commits (True), while
    a worker or a ticker runs (None), or never (False); with the key of *key_file* (default: the user's, when there is
    one), and pinned to *pin_file* when it is given. *privacy* has payloads encrypted with a key per subject, from now
    on. Raises InvalidValue, StorageError.
    """
    path, setting, policy_of = location_of(url), _setting(limits), _policy_of(redrive_policy)
    _require_bounds(busy_timeout_ms, connect_timeout_ms, cache_bytes)
    telling = [DecisionLines(), *map(_one_by_one, listeners_given(listeners))]
    _require_parts(views, gate, classifier, redactor)
    _require_evidence(seal, key_file, pin_file, privacy)
    asked = functions_given(reconcilers, "reconcilers", "an EffectCall")
    own: dict[str, Any] = {"clock": _clock(clock), "dice": _dice(dice), "engine": __version__, "listeners": telling}
    begun = partial(LogLedger, path, **own, cache_bytes=cache_bytes, busy_timeout_ms=busy_timeout_ms)
    with ExitStack() as opened:
        ledger = awaited(begun, connect_timeout_ms)
        opened.callback(ledger.close)
        evidence = Custody(ledger, seal=seal, key_file=key_file, pin_file=pin_file)
        services = Services(
            ledger=ledger,
            policy_of=policy_of,
            classifier=classifier or Classifier(),
            redactor=redactor or Redactor(),
            engine=__version__,
            holder=this_process(),
            gate=gate,
            reconcilers=asked,
            begin_work=evidence.begin,
        )
        if (encryption := attach(ledger, privacy)) is not None:
            opened.callback(encryption.keys.close)
        _set_limits(ledger, setting)
        engine = Engine(ledger, services, _view(ledger, views), evidence)
        engine._take_keys(encryption)
        opened.pop_all()
    return engine


def _require_bounds(busy_timeout_ms: object, connect_timeout_ms: object, cache_bytes: object) -> None:
    """Raises InvalidValue for a number that cannot be used."""
    clean_integer(busy_timeout_ms, "busy_timeout_ms", 0, MAX_BUSY_TIMEOUT_MS)
    clean_integer(connect_timeout_ms, "connect_timeout_ms", 0, MAX_BUSY_TIMEOUT_MS)
    clean_integer(cache_bytes, "cache_bytes", 0, MAX_INTEGER)


def _require_parts(views: object, gate: Gate | None, classifier: object, redactor: object) -> None:
    """Raises InvalidValue for what is given and cannot be used."""
    if views is not None and not isinstance(views, (str, os.PathLike)):
        raise InvalidValue("views", views, "the folder for the query views, as a text")
    if gate is not None:
        function_given(gate, "gate", "an EffectCall")
    if classifier is not None:
        instance_given(classifier, Classifier, "classifier", "a Classifier, such as redrive.Classifier()")
    if redactor is not None:
        instance_given(redactor, Redactor, "redactor", "a Redactor, such as redrive.Redactor()")


def _require_evidence(seal: object, key_file: str | Path | None, pin_file: str | Path | None, privacy: object) -> None:
    """As above: before a log is made that nobody opens."""
    if seal is not None and not isinstance(seal, bool):
        raise InvalidValue("seal", seal, "True, False, or None: while a worker works")
    if key_file is not None:
        key_file_given(key_file)
    if pin_file is not None:
        path_given(pin_file, "pin_file")
    if privacy is not None:
        from redrive.privacy.options import Privacy

        require_usable(
            instance_given(privacy, Privacy, "privacy", "a Privacy, such as redrive.Privacy(keys='ops.keys.db')")
        )


def _setting(limits: Sequence[Limit]) -> SettingLimits:
    """The commands that set *limits*. Raises InvalidValue."""
    if not isinstance(limits, (list, tuple)):
        raise InvalidValue("limits", limits, "a list of Limits")
    return [(limit, setting_limit(limit, again=False)) for limit in limits]


def _set_limits(ledger: LogLedger, setting: SettingLimits) -> None:
    """Set limits, and say which stay as an operator set them."""
    for limit, command in setting:
        kept = ledger.transact(Caller(None, reason="given to redrive.open"), command)
        if kept != limit:
            log.warning("limit.kept", limit=limit.key, kept=kept.document(), given=limit.document())


def _view(ledger: LogLedger, folder: str | Path | None) -> View:
    """The live view of a log: in *folder*, or beside it; of one that cannot be written to, where those of logs on
    servers are."""
    home = Path(ledger.home)
    if folder is not None:
        home = Path(folder).absolute() / home.name
    elif ledger.recorder.read_only:
        home = state_folder() / f"{home.name}-{ledger.id[:8]}"
    return View(ledger, view_path(str(home), locked=ledger.locked))


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


def _clock(clock: Callable[[], int] | None) -> Callable[[], int]:
    """The host's clock, or the system's; a value that is no time of ours is refused where it comes from: what was due
    before 1970 would never be found."""
    clock = _milliseconds if clock is None else clock
    function_given(clock, "clock", "no arguments that returns UTC milliseconds")
    return lambda: clean_integer(clock(), "clock", 0, MAX_INTEGER)


def _dice(dice: Callable[[], float] | None) -> Callable[[], float]:
    """The host's dice, or Python's; what they throw is stored with the decision, so nothing else than a share may come
    of them."""
    if dice is None:
        return random.random
    function_given(dice, "dice", "no arguments that returns a float in [0, 1)")

    def throw() -> float:
        thrown = dice()
        if isinstance(thrown, bool) or not isinstance(thrown, (int, float)) or not 0 <= thrown < 1:
            raise InvalidValue("dice", thrown, "a float in [0, 1)")
        return float(thrown)

    return throw


def _one_by_one(listener: Listener) -> Callable[[Sequence[Recorded]], None]:
    def tell(events: Sequence[Recorded]) -> None:
        for event in events:
            listener(event)

    return tell


def _policy_of(policies: RedrivePolicies | None) -> PolicyOf:
    """The policy for each run. Raises InvalidValue; what is returned for a run is looked at when it is."""
    if policies is None or isinstance(policies, RedrivePolicy):
        return OnePolicy(policies or RedrivePolicy())
    function_given(policies, "redrive_policy", "tenant and automation, or a RedrivePolicy")

    def of(run: Run) -> RedrivePolicy:
        found = policies(run.tenant, run.automation)
        return instance_given(found, RedrivePolicy, "redrive_policy", "a RedrivePolicy")

    return of
