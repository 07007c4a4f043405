"""Forensics: any past moment can be looked at, explained and re-tried on paper. Nothing here writes to the log.

Here lies what all of it needs: ``positions`` name a moment, ``past`` is an engine as it stood then (a ``prefix`` of the
log, a ``private`` view of it, folded from the nearest of ``checkpoints``, or by ``steps``); ``diff`` compares two
moments; ``subjects`` says what a key names; ``questions`` asks for timelines and causes; and every report stands on a
``footing``. The rest, by what is asked:

- ``timelines``: what happened to one thing, as spans and moments; in characters, and as a picture.
- ``causes``: why something is as it is, and what followed from an event.
- ``invariants``: what must hold at every position, and where it first did not.
- ``decided_again``: recorded commands, found in the log and given to the code of today (the replay check).
- ``what_if``: history decided again under another policy, with bounds for what nobody knows.
"""
