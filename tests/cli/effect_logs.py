"""A log with effects and compensations in every state that matters to an operator."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

import redrive
from tests.cli.logs import HOSTILE, ONCE, World

PLAN = redrive.Compensation("refund", "bank", {"n": 1, "password": "hunter2"})
PAY = redrive.Flow([redrive.Node("pay", retry=ONCE), redrive.Node("mail", retry=ONCE), redrive.Node("log", retry=ONCE)])


@dataclass(frozen=True)
class EffectIds:
    """Who is who: a run whose effects were declined, are in doubt, and were done; and one in doubt outside runs."""

    run: str
    declined: str
    doubtful: str
    done: str
    outside: str
    declined_letter: str
    doubtful_letter: str
    outside_letter: str
    declined_undo: str
    doubtful_undo: str
    outside_undo: str


@dataclass(frozen=True)
class EffectWorld(World):
    """A log of one test's own, and the command line on it."""

    effects: EffectIds


def _declined() -> None:
    raise redrive.Rejected("card declined", {"code": 402})


def _hung_up() -> None:
    raise TimeoutError(HOSTILE)


def build_effects(path: Path) -> EffectIds:
    """Write the log."""
    now = int(time.time() * 1_000) - 60_000
    with redrive.open(f"sqlite:///{path}", clock=lambda: now) as engine:
        acme = engine.local
        run = acme.submit(PAY, automation="shop", key="1")
        claim = acme.claim(worker="w1", start=True)
        assert claim is not None
        sends = {"pay": _declined, "mail": _hung_up, "log": lambda: {"id": 7, "api_key": "hunter2"}}
        for attempt in claim.attempts:
            try:
                operation = f"POST /{attempt.node}"
                request = {"n": 1, "password": "hunter2"}
                attempt.effect(
                    "inv-7", operation=operation, request=request, send=sends[attempt.node], compensation=PLAN
                )
                acme.complete_attempt(attempt)
            except Exception as error:  # noqa: BLE001 - whatever the send gave
                acme.fail_attempt(attempt, error)
        with contextlib.suppress(redrive.AttemptError):
            acme.effect("outside", operation="POST /order", send=_hung_up, compensation=PLAN)
        effects = {one.node or "outside": one.id for one in acme.effects().items}
        letters = {one.node or "outside": one.id for one in acme.dead_letters().items}
        undo = {one.node or "outside": one.id for one in acme.compensations().items}
    places = ("pay", "mail", "outside")
    return EffectIds(
        run, effects["pay"], effects["mail"], effects["log"], effects["outside"],
        *(letters[place] for place in places),
        *(undo[place] for place in places),
    )  # fmt: skip
