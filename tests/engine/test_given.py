"""What a host gives wrongly is refused where it is given, with a sentence that names the field and what is accepted."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import redrive
from redrive import Flow, InvalidValue, Limit, Node, Ticker, Withhold, Worker, http_reconcile, http_send, opening
from tests.processes.workshop import ANA, ONE
from tests.stores import log_url

BAD: Any = 5
"""No type checker sees through it."""
Wrong = Callable[[redrive.Engine, str], object]


async def listens(_event: redrive.Recorded) -> None:
    """Nobody would await it."""


class Listens:
    """The same, as an object."""

    async def __call__(self, event: redrive.Recorded) -> None:
        await listens(event)


CASES: list[tuple[str, Wrong]] = [
    ("db: 5", lambda _e, _u: redrive.open(BAD)),
    ("flow: ", lambda e, _u: e.local.submit(BAD, automation="a")),
    ("nodes[0]: ", lambda _e, _u: Flow([{"id": "a"}])),  # type: ignore[list-item]
    ("nodes: 5", lambda _e, _u: Flow(BAD)),
    ("status: 5", lambda e, _u: e.local.effects(status=BAD)),
    ("status: 5", lambda e, _u: e.local.runs(status=BAD)),
    ("source: 5", lambda e, _u: e.local.dead_letters(source=BAD)),
    ("reason: 5", lambda _e, _u: Withhold(BAD)),
    ("headers['a']: 'int'", lambda _e, _u: http_send(headers={"a": BAD})),
    ("headers: 'int'", lambda _e, _u: http_reconcile(headers=BAD)),
    ("effect_id: 5", lambda e, _u: e.local.reconcile_effect(BAD, "succeeded", **ANA)),
    ("effect_id: 5", lambda e, _u: e.local.reconcile_effect(BAD, **ANA)),
    ("gate: 5", lambda _e, u: redrive.open(u, gate=BAD)),
    ("reconcilers: 5", lambda _e, u: redrive.open(u, reconcilers=BAD)),
    ("reconcilers['op']: 5", lambda _e, u: redrive.open(u, reconcilers={"op": BAD})),
    ("busy_timeout_ms: '5'", lambda _e, u: redrive.open(u, busy_timeout_ms="5")),  # type: ignore[call-overload]
    ("busy_timeout_ms: 2147483648", lambda _e, u: redrive.open(u, busy_timeout_ms=2**31)),
    ("connect_timeout_ms: '5'", lambda _e, u: redrive.open(u, connect_timeout_ms="5")),  # type: ignore[call-overload]
    ("connect_timeout_ms: -1", lambda _e, u: redrive.open(u, connect_timeout_ms=-1)),
    ("cache_bytes: '5'", lambda _e, u: redrive.open(u, cache_bytes="5")),  # type: ignore[call-overload]
    ("clock: 5", lambda _e, u: redrive.open(u, clock=BAD)),
    ("dice: 5", lambda _e, u: redrive.open(u, dice=BAD)),
    ("listeners: 5", lambda _e, u: redrive.open(u, listeners=BAD)),
    ("redactor: 5", lambda _e, u: redrive.open(u, redactor=BAD)),
    ("seal: 5", lambda _e, u: redrive.open(u, seal=BAD)),
    ("key_file: 5", lambda _e, u: redrive.open(u, key_file=BAD)),
    ("pin_file: 5", lambda _e, u: redrive.open(u, pin_file=BAD)),
    ("privacy: 5", lambda _e, u: redrive.open(u, privacy=BAD)),
    ("views: 5", lambda _e, u: redrive.open(u, views=BAD)),
    ("limits: 5", lambda _e, u: redrive.open(u, limits=BAD)),
    ("limits: ", lambda _e, u: redrive.open(u, limits=Limit("total", "", 1))),  # type: ignore[call-overload]
    ("listeners: ", lambda _e, u: redrive.open(u, listeners=print)),  # type: ignore[call-overload]
    ("listeners[0]: 5", lambda _e, u: redrive.open(u, listeners=[BAD])),
    ("listeners[1]: <", lambda _e, u: redrive.open(u, listeners=[print, listens])),
    ("listeners[0]: <", lambda _e, u: redrive.open(u, listeners=[Listens()])),
    ("clock: 5", lambda _e, u: redrive.open(u, clock=BAD)),
    ("dice: 5", lambda _e, u: redrive.open(u, dice=BAD)),
    ("redrive_policy: 5", lambda _e, u: redrive.open(u, redrive_policy=BAD)),
    ("classifier: 5", lambda _e, u: redrive.open(u, classifier=BAD)),
    ("redactor: 5", lambda _e, u: redrive.open(u, redactor=BAD)),
    ("reconcilers['op']: 5", lambda e, _u: Worker(e, {}, reconcilers={"op": BAD})),
    ("compensators['op']: 5", lambda e, _u: Worker(e, {}, compensators={"op": BAD})),
    ("compensators: 5", lambda e, _u: Worker(e, {}, compensators=BAD)),
    ("claim: nothing is given", lambda e, _u: e.local.start_attempt(e.local.claim(worker="w"), "a")),  # type: ignore[arg-type]
    ("claim: 5", lambda e, _u: e.local.start_attempts(BAD)),
    ("claim: 5", lambda e, _u: e.local.heartbeat(BAD)),
    ("claim: 5", lambda e, _u: e.local.release(BAD)),
    ("attempt: 5", lambda e, _u: e.local.complete_attempt(BAD)),
    ("attempt: 5", lambda e, _u: e.local.fail_attempt(BAD, TimeoutError())),
    ("attempt: 5", lambda e, _u: e.local.snooze_attempt(BAD, 5)),
    ("send: <", lambda e, _u: e.local.effect("k", operation="op", send=lambda _call, _more: 1)),
    ("send: <", lambda e, _u: e.local.effect("k", operation="op", send=lambda *, name: name)),
    ("send: nothing is given", lambda e, _u: e.local.effect("k", operation="op", send=None)),  # type: ignore[arg-type]
]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A log of its own."""
    return log_url(tmp_path / "log.db")


@pytest.fixture
def engine(url: str) -> Iterator[redrive.Engine]:
    """The log, open."""
    with redrive.open(url) as engine:
        yield engine


@pytest.mark.parametrize(("place", "wrong"), CASES, ids=[f"{place}{n}" for n, (place, _) in enumerate(CASES)])
def test_a_wrong_value_is_refused(engine: redrive.Engine, url: str, place: str, wrong: Wrong) -> None:
    """And nothing was written."""
    before = engine.ledger.last_position()
    with pytest.raises(InvalidValue) as refused:
        wrong(engine, url)
    assert str(refused.value).startswith(place)
    assert engine.ledger.last_position() == before


def test_a_machine_whose_clock_is_before_1970_writes_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was due then was never found again, whatever the clock said later."""
    machine = SimpleNamespace(time_ns=lambda: -86_400_000_000_000)
    monkeypatch.setattr(opening, "time", machine)
    with redrive.open(url, seal=False) as engine:
        with pytest.raises(InvalidValue, match="clock: -86400000 is not accepted"):
            engine.local.submit(ONE, automation="x", key="k")
        assert engine.ledger.last_position() == 0
        machine.time_ns = lambda: 1_700_000_000_000_000_000
        run = engine.local.submit(ONE, automation="x", key="k")
        claim = engine.local.claim(worker="w")
        assert claim is not None
        assert claim.run_id == run


def test_an_effect_without_a_send_leaves_no_intent(engine: redrive.Engine) -> None:
    """It would look like one that was sent and lost."""
    engine.local.submit(ONE, automation="x")
    claim = engine.local.claim(worker="w", start=True)
    assert claim is not None
    for ask in (claim.attempts[0].effect, lambda *a, **k: asyncio.run(claim.attempts[0].effect_async(*a, **k))):
        with pytest.raises(InvalidValue, match="send"):
            ask("k", operation="op", send=BAD)
    assert engine.local.effects().items == ()
    assert engine.local.effect("k", operation="op", send=lambda: 1) == 1


@pytest.mark.parametrize("of", [lambda engine: engine, lambda engine: engine.local])
@pytest.mark.parametrize("made", [lambda engine: Worker(engine, {}), Ticker])
def test_threads_do_not_take_an_async_engine(url: str, made: Callable[[Any], object], of: Any) -> None:
    """The sentence says what to pass."""

    async def main() -> None:
        async with redrive.open_async(url) as engine:
            with pytest.raises(InvalidValue, match=r"pass engine\.sync"):
                made(of(engine))
            made(of(engine).sync)

    asyncio.run(main())


@pytest.mark.parametrize("part", ["seal", "key_file", "pin_file", "privacy", "listeners", "gate", "limits", "clock"])
def test_no_log_is_made_for_what_is_refused(tmp_path: Path, part: str) -> None:
    """An empty one would be found later, and nobody would know whose it is."""
    given: Any = {part: BAD}
    with pytest.raises(InvalidValue, match=part):
        redrive.open(f"sqlite:///{tmp_path}/log.db", **given)
    assert list(tmp_path.iterdir()) == []


def test_opening_for_asyncio_takes_async_with(url: str) -> None:
    """Instead of a TypeError about protocols."""
    with pytest.raises(InvalidValue, match="async with"), redrive.open_async(url):  # type: ignore[attr-defined]
        pass


def test_a_send_is_asked_of_coroutines_too(url: str) -> None:
    """Outside runs; no intent is left."""

    async def main() -> None:
        async with redrive.open_async(url) as engine:
            acme: Any = engine.local
            for bad in (BAD, lambda _call, _more: 1):
                with pytest.raises(InvalidValue, match="send"):
                    await acme.effect("k", operation="op", send=bad)
            assert (await engine.local.effects()).items == ()

    asyncio.run(main())


def test_what_is_right_is_taken(url: str) -> None:
    """Functions, texts, one or several words."""
    with redrive.open(url, gate=lambda: None, reconcilers={"op": lambda _call: redrive.StillUnknown()}) as engine:
        Worker(engine, {}, reconcilers=None, compensators={"op": lambda _try: None})
        assert engine.local.runs(status=("queued", "running")).items == ()
        assert engine.local.submit(Flow(Node(one) for one in "ab"), automation="x")
    assert callable(http_send(headers={"Authorization": "Bearer x"}))


@pytest.mark.parametrize("thrown", [1.0, -0.1, 5, "0.5", None, True, float("nan")])
def test_dice_that_are_not_fair_decide_nothing(url: str, thrown: Any) -> None:
    """What they throw would be stored, and a delay made of it that the policy does not allow."""
    with redrive.open(url, dice=lambda: thrown) as engine:
        engine.local.submit(ONE, automation="x")
        claim = engine.local.claim(worker="w", start=True)
        assert claim is not None
        before = engine.ledger.last_position()
        with pytest.raises(InvalidValue, match=r"dice: .* expected a float in \[0, 1\)"):
            engine.local.fail_attempt(claim.attempts[0], TimeoutError())
        assert engine.ledger.last_position() == before


def test_a_function_that_gives_no_policy_is_named(url: str) -> None:
    """When an operator asks for what depends on it; nothing is written."""
    with redrive.open(url, redrive_policy=lambda _tenant, _automation: BAD) as engine:
        engine.local.submit(ONE, automation="x")
        Worker(engine, {"a": lambda _attempt: 1 / 0}).run_until_idle(wait=False)
        (letter,) = engine.local.dead_letters().items
        with pytest.raises(InvalidValue, match="redrive_policy: 5"):
            engine.local.request_retry(letter.id, **ANA)
        assert engine.local.dead_letter(letter.id).status == "open"


def test_a_folder_for_views_that_is_not_there_is_named(url: str, tmp_path: Path) -> None:
    """It says what to look at."""
    with pytest.raises(redrive.StorageError, match=r"nowhere.*does its folder exist"):
        redrive.open(url, views=str(tmp_path / "nowhere"))


def test_a_closed_engine_says_so_of_questions_too(url: str) -> None:
    """With the code of its own that commands have: a host that is going down can tell it from a broken disk."""
    with redrive.open(url) as engine:
        run = engine.local.submit(ONE, automation="x")
    for ask in (engine.local.counts, lambda: engine.local.show(run), engine.limits, engine.tick):
        with pytest.raises(redrive.EngineClosed, match="the engine is closed"):
            ask()


def misspelled_names_that_users_see() -> None:
    """Checked by mypy, never called: the names that are imported when they are first used hide no others."""
    redrive.Wroker  # type: ignore[attr-defined]  # noqa: B018
