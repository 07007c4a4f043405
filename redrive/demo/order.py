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
      timeout_ms: 2000
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
SILENT_S = 30.0  # longer than anybody waits
PATIENCE_S = 60.0


@dataclass
class Shop:
    """Whether the story is where the shop is: *shipping* is set when it was asked to ship, which it does when *killed*
    says that whoever asked is gone. So the story is the same on every machine."""

    shipping: threading.Event = field(default_factory=threading.Event)
    killed: threading.Event = field(default_factory=threading.Event)

    def script(self, request: Request) -> Behaviour:
        """What the shop does with a request."""
        first = request.nth == 1
        match request.path:
            case "/reservations" if first:
                return Behaviour(acts=False, status=503, headers={"Retry-After": "1"})
            case "/charges" if first:
                return Behaviour(silent_s=SILENT_S)
            case "/labels" if first:
                return Behaviour(lost=True)
            case "/shipments" if first:
                self.shipping.set()
                self.killed.wait(PATIENCE_S)
            case "/mails" if request.nth <= 4:  # two attempts, and two more when somebody asks too early
                return Behaviour(acts=False, status=503)
        return Behaviour()
