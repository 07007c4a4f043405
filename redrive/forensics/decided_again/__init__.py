"""Decided again: recorded commands, found in the log and given to the code of today.

- Told apart: ``commits`` groups the events that one decision wrote, ``row_decisions`` does so without decoding them.
- Which command it was: ``commands``, and ``effect_commands``, with ``recorded_policies`` where a policy decided.
- Made again: ``streams`` are states as they stood, ``on_paper`` is a transaction over them, a ``retrial`` compares what
  is decided with what was recorded (``encrypted_payloads``: as far as it can be read).
- ``replay_check`` does it for a whole log. A what-if plays its courses with the same parts.
"""
