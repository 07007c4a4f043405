"""The flows of a log in memory: one object for each, whatever runs it."""

import threading
from collections import OrderedDict

from redrive.domain.errors import InvalidFlow, StreamDamaged, StreamReadOnly
from redrive.domain.event import UnknownEvent
from redrive.domain.flow import Flow
from redrive.domain.identity import FlowDigest, Tenant, flow_stream_of
from redrive.domain.records import FlowRegistered
from redrive.ledger.database import Connection
from redrive.ledger.mapper import decode
from redrive.ledger.recorder import LogRecorder

MOST_FLOWS = 256


class Flows:
    """The flows that were used last. Unlike states, they never change, and those who only read ask for them too."""

    def __init__(self, recorder: LogRecorder) -> None:
        self._recorder = recorder
        self._known: OrderedDict[FlowDigest, Flow] = OrderedDict()
        self._lock = threading.Lock()

    def own(self, flow: Flow) -> Flow:
        """The one object for a flow; a copy, so that what the host does to its own changes nothing here."""
        if (known := self._known.get(flow.digest)) is not None:
            return known
        copy = Flow.from_document(flow.document())
        if copy.digest != flow.digest:
            raise InvalidFlow("flow", flow.digest[:12], "a flow that is not changed after it was made")
        return self.remember(copy)

    def remember(self, flow: Flow) -> Flow:
        """Keep one object per flow."""
        with self._lock:
            known = self._known.setdefault(flow.digest, flow)
            self._known.move_to_end(flow.digest)
            if len(self._known) > MOST_FLOWS:
                self._known.popitem(last=False)
        return known

    def flow(self, tenant: Tenant, digest: FlowDigest, connection: Connection | None = None) -> Flow:
        """A flow that the log has, as *connection* sees it. Raises StreamReadOnly when a newer version wrote it."""
        if (known := self._known.get(digest)) is not None:
            return known
        rows = self._recorder.rows_of(flow_stream_of(tenant, digest), 0, connection)
        event = decode(*rows[0]).event if rows else None
        if isinstance(event, UnknownEvent):
            raise StreamReadOnly(rows[0][1], event.topic)
        if not isinstance(event, FlowRegistered) or not isinstance(event.document, dict):
            raise StreamDamaged(f"{self._recorder.path}: the file is damaged: flow {digest} is gone; restore a backup")
        try:
            return self.remember(Flow.from_document(event.document))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise StreamDamaged(f"{self._recorder.path}: flow {digest} cannot be read: {error!r}") from error
