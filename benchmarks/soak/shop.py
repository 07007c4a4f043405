"""The service of the soak test, by dice, and the workflow that uses it."""

import random
import threading

from redrive.demo.service import Behaviour, Request

RESOURCE = "shop"
TIMEOUT_MS = 400
FLOW = f"""\
automation: soak
version: 1
defaults:
  retry:
    max_attempts: 4
    backoff: {{strategy: exponential, initial_delay_ms: 50, jitter_ms: 50, max_delay_ms: 1000}}
    terminal_behavior: {{mode: dead_letter}}
nodes:
  - id: reserve
    resource: {RESOURCE}
    effect: {{operation: POST, target: "{{env.SHOP}}/reservations", idempotent: true, timeout_ms: {TIMEOUT_MS}}}
  - id: charge
    after: [reserve]
    resource: {RESOURCE}
    effect:
      operation: POST
      target: "{{env.SHOP}}/charges"
      reconcile: {{get: "{{env.SHOP}}/charges/{{effect.id}}"}}
      timeout_ms: {TIMEOUT_MS}
  - id: label
    after: [reserve]
    resource: {RESOURCE}
    effect: {{operation: POST, target: "{{env.SHOP}}/labels", idempotent: true, timeout_ms: {TIMEOUT_MS}}}
  - id: mail
    after: [charge, label]
    resource: {RESOURCE}
    effect: {{operation: POST, target: "{{env.SHOP}}/mails", timeout_ms: {TIMEOUT_MS}}}
"""
WEIGHTED = {
    Behaviour(): 78,
    Behaviour(slow_s=0.1): 5,
    Behaviour(acts=False, status=503): 6,
    Behaviour(acts=False, status=503, slow_s=0.05): 1,
    Behaviour(silent_s=TIMEOUT_MS / 1000 + 0.1): 3,
    Behaviour(lost=True): 3,
    Behaviour(acts=False, lost=True): 2,
    Behaviour(status=500): 1,
    Behaviour(acts=False, status=500): 1,
}


class Dice:
    """A script that plays by dice; all processes of a run meet the same shop."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._lock = threading.Lock()

    def __call__(self, _request: Request) -> Behaviour:
        """What the shop does next."""
        with self._lock:
            (behaviour,) = self._dice.choices(list(WEIGHTED), list(WEIGHTED.values()))
        return behaviour
