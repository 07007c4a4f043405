"""What an engine does about the keys of encrypted payloads."""

from typing import TYPE_CHECKING, cast

from redrive.domain.errors import InvalidValue
from redrive.domain.identity import Tenant, human
from redrive.domain.values import clean_name
from redrive.ledger.ledger import refuse_in_batch
from redrive.processes.given import tenant_given
from redrive.tenant_effects import Actor

if TYPE_CHECKING:
    from redrive.engine import Engine
    from redrive.privacy.encryption import Encryption
    from redrive.privacy.models import KeyDestruction, PrivacyStatus


class PrivateEngine:
    """The operators' commands about payloads that are encrypted per subject."""

    encryption: "Encryption | None" = None

    def destroy_key(self, subject: str, *, tenant: Tenant | None = None, actor: Actor, reason: str) -> "KeyDestruction":
        """Destroy the key of a *subject* of a *tenant* (default: local/default/default): nothing that it encrypted can
        be read any more, here or in any copy of the log. Unfinished runs of the subject are cancelled, its unsettled
        dead letters abandoned. *actor* and *reason* stay readable: do not name the subject in them.

        Raises InvalidValue without a key store; NotFound when the subject has no key (any more).
        """
        from redrive.privacy.destruction import destroy_key

        refuse_in_batch("destroy_key")
        engine, name = cast("Engine", self), clean_name(subject, "subject")
        told = engine.services.reason(reason)
        owner = Tenant() if tenant is None else tenant_given(tenant)
        return destroy_key(engine, self._encryption(), owner, name, human(actor), told)

    def privacy_status(self) -> "PrivacyStatus":
        """The key store of the log, and how many keys it has. Raises InvalidValue without one."""
        from redrive.privacy.models import PrivacyStatus

        keys = self._encryption().keys
        found = keys.keys()
        return PrivacyStatus(
            path=keys.path,
            id=keys.id,
            wrapped=keys.wrapped,
            keys=len(found),
            destroyed=sum(key.destroyed_ms is not None for key in found),
            unfinished=len(keys.intents()),
        )

    def _take_keys(self, encryption: "Encryption | None") -> None:
        """Encrypt payloads from now on; finish what was interrupted, with each tick too. ``redrive.open`` does it."""
        self.encryption = encryption
        if encryption is not None:
            cast("Engine", self).services.at_tick.append(self._finish_destructions)
            self._finish_destructions()

    def _finish_destructions(self) -> None:
        """Carry out what a process began that died meanwhile; then, what others destroyed goes in this place too."""
        assert self.encryption is not None, "only an engine with keys is asked"
        if self.encryption.keys.intents():
            from redrive.privacy.destruction import finish_destructions

            finish_destructions(cast("Engine", self), self.encryption)
        if self.encryption.erasures:
            from redrive.privacy.places import forget_what_is_destroyed

            forget_what_is_destroyed(cast("Engine", self), self.encryption)

    def _require_privacy(self, subject: object) -> None:
        """Raises InvalidValue for a *subject* that is no name, or where nothing would be encrypted for it."""
        clean_name(subject, "subject")
        self._encryption()

    def _encryption(self) -> "Encryption":
        if self.encryption is None:
            raise InvalidValue("privacy", None, "an engine opened with redrive.Privacy (setting key_store)")
        return self.encryption
