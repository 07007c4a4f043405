"""What a host gives to the engine, checked where it is given."""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature, iscoroutinefunction, signature
from typing import Any, TypeVar

from redrive.domain.errors import InvalidValue
from redrive.domain.identity import Tenant

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def tenant_given(tenant: Tenant) -> Tenant:
    """*tenant* as it is. Raises InvalidValue for what is none, as the text of one."""
    return instance_given(tenant, Tenant, "tenant", "a Tenant, for example redrive.Tenant('acme', 'billing', 'prod')")


def function_given(function: F, field: str, of: str) -> F:
    """*function* as it is. Raises InvalidValue for what cannot be called; *of* says what it is a function of."""
    if not callable(function):
        raise InvalidValue(field, function, f"a function of {of}")
    return function


def listeners_given(listeners: Sequence[F]) -> tuple[F, ...]:
    """*listeners* as they are. Raises InvalidValue for one function that is in no list, for what is no function, and
    for an asynchronous one: nobody would await it."""
    if not isinstance(listeners, (list, tuple)):
        raise InvalidValue("listeners", listeners, "a list of functions of a Recorded")
    for number, one in enumerate(listeners):
        if is_asynchronous(one):
            handing = "one that is not async: it is told in the thread that committed, and may hand over to a loop"
            raise InvalidValue(f"listeners[{number}]", one, handing)
    return tuple(function_given(one, f"listeners[{n}]", "a Recorded") for n, one in enumerate(listeners))


def is_asynchronous(function: object) -> bool:
    """Whether calling *function* gives a coroutine, as far as can be told without doing it."""
    return iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def send_given(send: F) -> F:
    """*send* as it is. Raises InvalidValue for what cannot be called as it will be: it would look like a sending whose
    outcome is unknown, although nothing was sent."""
    function_given(send, "send", "an EffectCall, or of nothing")
    try:
        told = signature(send)
    except (ValueError, TypeError):  # of a builtin, perhaps: nobody can tell
        return send
    try:
        told.bind(*(() if takes_nothing(told) else (None,)))
    except TypeError as wrong:
        raise InvalidValue("send", send, f"a function of an EffectCall, or of nothing ({wrong})") from None
    return send


def takes_nothing(told: Signature) -> bool:
    """Whether a function of the host's is called with nothing."""
    return all(one.kind in (Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD) for one in told.parameters.values())


def instance_given(value: object, kind: type[T], field: str, accepted: str) -> T:
    """*value* as it is. Raises InvalidValue for what is no *kind*."""
    if not isinstance(value, kind):
        raise InvalidValue(field, value, accepted)
    return value


def functions_given(functions: Mapping[str, F] | None, field: str, of: str) -> dict[str, F]:
    """Functions by operation. Raises InvalidValue for anything else."""
    if functions is None:
        return {}
    if not isinstance(functions, Mapping):
        raise InvalidValue(field, functions, f"a mapping from operations to functions of {of}")
    for name, function in functions.items():
        if not isinstance(name, str):
            raise InvalidValue(field, name, "operations as keys, which are texts")
        function_given(function, f"{field}[{name!r}]", of)
    return dict(functions)
