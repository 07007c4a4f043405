"""A shop on loopback, and effects sent to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from redrive.demo.service import Behaviour, Request, Service
from redrive.domain.identity import EffectId, Tenant
from redrive.http_effects import Http, NoAnswer
from redrive.processes.effects import EffectCall
from redrive.processes.handlers import NotSent, Rejected


def script_of(*behaviours: Behaviour) -> Any:
    """A script that plays *behaviours* call by call, and then behaves well."""
    left = list(behaviours)

    def script(_request: Request) -> Behaviour:
        return left.pop(0) if left else Behaviour()

    return script


@contextmanager
def shop(*behaviours: Behaviour) -> Iterator[Service]:
    """A service that plays *behaviours*."""
    with Service(script_of(*behaviours)) as service:
        yield service


def call(service: Service | str, request: Any = None, operation: str = "POST", path: str = "/charges") -> EffectCall:
    """An effect to *service*."""
    url = service if isinstance(service, str) else service.url
    return EffectCall(Tenant(), EffectId("e-1"), "invoice-7", operation, f"{url}{path}", request, 1)


def refused(service: Service | str, request: Any = None, **more: Any) -> NotSent | Rejected | NoAnswer:
    """How sending ends that does not succeed."""
    timeout_ms = more.pop("timeout_ms", 60_000)
    with pytest.raises((NotSent, Rejected, NoAnswer)) as caught:
        Http(timeout_ms=timeout_ms).send(call(service, request, **more))
    error = caught.value
    assert isinstance(error, (NotSent, Rejected, NoAnswer))
    return error
