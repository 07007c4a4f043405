"""The reference shows types and defaults, not the machinery behind them."""

import pytest

from docs.generate.signatures import readable

CASES = [
    ("(a: int = 1)", "(a: int = 1)"),
    ("(a: ~typing.Annotated[int, ~pydantic.V(func=~x.<lambda>, y=[1, 2])] = 1, b: str)", "(a: int = 1, b: str)"),
    ("(a: dict[str, ~pydantic.types.Annotated[~m.J, ~pydantic.G(f=~x.<lambda>)]])", "(a: dict[str, ~m.J])"),
    ("(a: Annotated[dict[str, int], FieldInfo(x=1)] | None)", "(a: dict[str, int] | None)"),
    ("(a: Annotated[int, Ge(ge=5), Le(le=9)] = 7)", "(a: Annotated[int, Ge(ge=5), Le(le=9)] = 7)"),
    ("(a: S = <factory>, b=<Mode.ONE: 'one'>)", "(a: S = ..., b='one')"),
    ("(c: ~abc.Callable[[~P], ~m.T], *args: ~typing.~P)", "(c: ~abc.Callable[[P], ~m.T], *args: P)"),
    ("(send: Callable[[...], Any])", "(send: Callable[..., Any])"),
]


@pytest.mark.parametrize(("written", "shown"), CASES)
def test_a_signature_is_readable(written: str, shown: str) -> None:
    """Bounds are kept; what validates and cannot be read is not."""
    assert readable(written) == shown
