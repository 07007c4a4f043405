"""The session of one command: its settings, its output, and the engine once it needs one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import click

from redrive.cli.output import Output
from redrive.cli.typed import ASIDE, BY_VARIABLE, has_password, quoted, without

if TYPE_CHECKING:
    from redrive.domain.identity import Tenant
    from redrive.engine import Engine
    from redrive.forensics.past import Past
    from redrive.ledger.stores import Store
    from redrive.privacy.options import Privacy
    from redrive.settings import Settings
    from redrive.sharding.sharded_engine import ShardedEngine
    from redrive.tenant_engine import TenantEngine
    from redrive.tenant_queries import TenantQueries


class Session:
    """What the global options say, and what follows from it. Everything heavy is imported when it is used."""

    def __init__(self, args: Sequence[str] = ()) -> None:
        self.args = tuple(args)
        self.given: dict[str, Any] = {}
        self.at: str | None = None
        self.last_words: Callable[[], None] = lambda: None

    def give(self, name: str, value: object) -> None:
        """A global option was given."""
        self.given[name] = value

    @cached_property
    def settings(self) -> "Settings":
        """Argument > ``REDRIVE_*`` > ``redrive.toml`` > default. Raises InvalidValue."""
        from redrive.settings import Settings

        return Settings.load(**{name: value for name, value in self.given.items() if name != "json"})

    @cached_property
    def output(self) -> Output:
        """Where to print."""
        here = Output.here(json=bool(self.given.get("json")))
        return replace(here, aside=f" ({ASIDE})") if BY_VARIABLE in self._log_words else here

    @cached_property
    def tenant(self) -> "Tenant | None":
        """The tenant that was named; None when none was: the default one, for commands that serve a single one."""
        from redrive.domain.identity import Tenant

        return None if self.settings.tenant is None else Tenant.parse(self.settings.tenant)

    def engine(self, *, create: bool = False) -> "Engine":
        """Open the log, until the command ends. Without *create*, NotFound when there is none. Raises OneShardOnly
        when there are several: what such a command does concerns one."""
        from redrive.domain.errors import OneShardOnly

        if len(self.settings.urls) > 1:
            raise OneShardOnly(f"`{self._command_path()}`", len(self.settings.urls), "name one with --db URL")
        return cast("Engine", self.serving(create=create))

    def _command_path(self) -> str:
        """This command, as it is typed."""
        ctx: click.Context | None = click.get_current_context()
        names = [] if self.at is None else ["--at"]
        while ctx is not None and ctx.parent is not None:
            names.insert(0, str(ctx.info_name))
            ctx = ctx.parent
        return " ".join(["redrive", *names])

    def serving(self, *, create: bool = False) -> "Engine | ShardedEngine":
        """Open the log, or the logs, until the command ends, as ``engine`` does."""
        from redrive.domain.redrive_policy import RedrivePolicy
        from redrive.effect_reconcilers import effect_reconcilers
        from redrive.logs import configure_logs
        from redrive.sharding.opening import open as open_engine

        settings, _ = self.settings, self.tenant
        configure_logs(settings)
        urls = settings.urls
        if len(urls) == 1 and urls[0].startswith("bundle:"):
            return self._bundle(urls[0])
        for url in () if create else urls:
            self.require_log(self._store_at(url))
        engine: Engine | ShardedEngine = open_engine(
            urls if len(urls) > 1 else urls[0],
            redrive_policy=RedrivePolicy(
                max_dispatches=settings.max_dispatches,
                base_delay_ms=settings.base_delay_ms,
                max_delay_ms=settings.max_delay_ms,
                continue_after_recurrence=settings.continue_after_recurrence,
            ),
            busy_timeout_ms=settings.busy_timeout_ms,
            connect_timeout_ms=settings.connect_timeout_ms,
            cache_bytes=settings.cache_bytes,
            reconcilers=effect_reconcilers(),
            privacy=self._privacy(create),
            seal=settings.seal,
            key_file=settings.key_file,
            pin_file=settings.pin_file,
        )
        click.get_current_context().find_root().call_on_close(engine.close)
        return engine

    def _bundle(self, url: str) -> "Engine":
        """Open the evidence bundle at *url* as a log that can be asked."""
        from redrive.cli.bundle import tell_bundle
        from redrive.evidence.bundle.opened import open_bundle

        path = url.removeprefix("bundle:")
        engine = open_bundle(path)
        click.get_current_context().find_root().call_on_close(engine.close)
        self.output = replace(self.output, advises=False)
        self.last_words = lambda: tell_bundle(self.output, path, engine)
        return engine

    def _privacy(self, create: bool) -> "Privacy | None":
        """Where the keys are, when a setting says so; only what creates logs creates key stores."""
        from redrive.domain.errors import InvalidValue

        store, master = self.settings.key_store, self.settings.master_key
        if store is None:
            return None
        from pathlib import Path

        from redrive.privacy.options import Privacy

        if not create and not Path(store).exists():
            raise InvalidValue("setting key_store", store, "a file that exists: `redrive privacy init` makes one")
        return Privacy(store, master_key=master)

    def tenant_engine(self, *, create: bool = False) -> "TenantEngine":
        """The log as one tenant sees it: the one that was named, or the default one."""
        engine = self.serving(create=create)
        return engine.local if self.tenant is None else engine.for_tenant(self.tenant)

    @property
    def asked_as(self) -> "Tenant":
        """Whose records are asked about."""
        from redrive.domain.identity import Tenant

        return self.tenant or Tenant()

    def all_asked(self) -> "Engine | Past":
        """What can be asked of the whole log: as it stands, or as it stood at ``--at``."""
        if self.at is None:
            return self.engine()
        from redrive.cli.past import past_of

        return past_of(self)

    def asked(self) -> "TenantQueries":
        """What can be asked of one tenant: as it stands, or as it stood at ``--at``."""
        return self.tenant_engine() if self.at is None else self.all_asked().for_tenant(self.asked_as)

    def command(self, *words: str) -> str:
        """A command line to type next: with the log and the tenant, when they were arguments of this one."""
        tenant = ["--tenant", self.given["tenant"]] if "tenant" in self.given else []
        return " ".join(["redrive", *self._log_words, *quoted([*tenant, *words])])

    def again(self, cursor: str) -> str:
        """The command line of this very command, going on at *cursor*."""
        kept = without(self.args, "--cursor")
        ahead: list[str] = []
        if self._secret:
            kept, ahead = without(kept, "--db"), self._log_words
        return " ".join(["redrive", *ahead, *quoted([*kept, "--cursor", cursor])])

    @cached_property
    def _secret(self) -> bool:
        """Whether the log was named by an argument that says a password."""
        return "db" in self.given and has_password(self.given["db"])

    @cached_property
    def _log_words(self) -> list[str]:
        """What names the log in a command line. A password is not repeated: a variable has it, or the settings do."""
        if "db" not in self.given:
            return []
        if not self._secret:
            return ["--db", *quoted([self.given["db"]])]
        return [] if self._is_set_too else ["--db", BY_VARIABLE]

    @property
    def _is_set_too(self) -> bool:
        """Whether the same log would be found without the argument."""
        from redrive.domain.errors import InvalidValue
        from redrive.ledger.urls import urls_in
        from redrive.settings import Settings

        try:
            return Settings.load().urls == urls_in(self.given["db"])
        except InvalidValue:
            return False

    def tell_rest(self, shown: int, noun: str, cursor: str | None) -> None:
        """Say how many rows a table has, and the command that goes on where it ends."""
        counted = f"{shown} {noun}{'' if shown == 1 else 's'}"
        if cursor is not None:
            self.output.remark(f"\n{counted} shown, and there are more{self.output.aside}:\n  {self.again(cursor)}")
        elif self.output.terminal:
            self.output.remark(f"\n{counted}.")

    @property
    def on_server(self) -> bool:
        """Whether the log lies on a server, and not in a file."""
        from redrive.ledger.urls import is_server

        return any(map(is_server, self.settings.urls))

    def store(self) -> "Store":
        """The database that holds the log, without opening the log. Raises InvalidValue for several."""
        return self._store_at(self.url)

    @property
    def url(self) -> str:
        """Where the log lies. Raises InvalidValue for several."""
        from redrive.domain.errors import InvalidValue

        urls = self.settings.urls
        if len(urls) > 1:
            raise InvalidValue("db", ", ".join(urls), "the URL of one log")
        return urls[0]

    def _store_at(self, url: str) -> "Store":
        from redrive.ledger.stores import store_at

        settings = self.settings
        return store_at(url, busy_timeout_ms=settings.busy_timeout_ms, connect_timeout_ms=settings.connect_timeout_ms)

    def require_log(self, store: "Store") -> None:
        """A query never creates a log. Raises NotFound."""
        from redrive.cli.failures import NoLog

        if not store.is_there():
            raise NoLog(store.location, named="db" in self.given)


def shards_of(engine: "Engine | ShardedEngine") -> "tuple[Engine, ...]":
    """The engine of each log that is open."""
    from redrive.engine import Engine

    return (engine,) if isinstance(engine, Engine) else engine.shards


pass_session = click.make_pass_decorator(Session, ensure=True)
