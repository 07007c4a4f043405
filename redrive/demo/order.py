"""The demo's workflow, and the schedule by which its shop misbehaves."""

import threading
from dataclasses import dataclass, field

from redrive.demo.service import Behaviour, Request

ORDER = """\
automation: order
version: 1
defaults:
  retry:
    max_attempts: 3
    backoff: {strategy: fixed, initial_delay_ms: 100}
    terminal_behavior: {mode: dead_letter}
nodes:
  - id: reserve
    effect: {operation: POST, target: "{env.SHOP}/reservations", request: {json: {item: "{input.item}"}}}
  - id: charge
    after: [reserve]
    effect:
      operation: POST
      key: invoice-{input.invoice}
      target: "{env.SHOP}/charges"
      request: {json: {amount: "{input.amount}"}}
      reconcile: {get: "{env.SHOP}/charges/{effect.id}"}
      timeout_ms: 600
  - id: label
    after: [charge]
    effect: {operation: POST, target: "{env.SHOP}/labels", idempotent: true}
  - id: ship
    after: [label]
    effect:
      operation: POST
      target: "{env.SHOP}/shipments"
      reconcile: {get: "{env.SHOP}/shipments/{effect.id}"}
  - id: mail
    after: [ship]
    retry:
      max_attempts: 2
      backoff: {strategy: fixed, initial_delay_ms: 100}
      terminal_behavior: {mode: dead_letter}
    effect: {operation: POST, target: "{env.SHOP}/mails", request: {json: "{outputs.ship.body.id}"}}
"""
INPUT = {"item": "teapot", "invoice": 7, "amount": 42}
NODES = ("reserve", "charge", "label", "ship", "mail")
SLOW_S = 1.0


@dataclass
class Shop:
    """Whether the shop is where the story is: *shipping* is set when it was asked to ship, *mended* makes it mail."""

    shipping: threading.Event = field(default_factory=threading.Event)
    mended: threading.Event = field(default_factory=threading.Event)

    def script(self, request: Request) -> Behaviour:
        """What the shop does with a request."""
        first = request.nth == 1
        match request.path:
            case "/reservations" if first:
                return Behaviour(acts=False, status=503, headers={"Retry-After": "1"})
            case "/charges" if first:
                return Behaviour(silent_s=5.0)
            case "/labels" if first:
                return Behaviour(lost=True)
            case "/shipments" if first:
                self.shipping.set()
                return Behaviour(slow_s=SLOW_S)
            case "/mails" if not self.mended.is_set():
                return Behaviour(acts=False, status=503)
        return Behaviour()
