"""Forensics: any past moment can be looked at, explained and re-tried on paper. Nothing here writes to the log.

Where to begin, by what is asked:

- A moment: ``positions`` name one; ``past`` is an engine as it stood then, over a ``prefix`` of the log and a
  ``private`` view, folded from the nearest of ``checkpoints`` or by ``steps``; ``diff`` compares two. Every report
  stands on a ``footing``.
- Timelines and causes are asked by ``questions``, about what ``subjects`` finds. ``spans`` (with ``run_spans``,
  ``letter_spans``, ``story``) makes a ``timeline``; ``strip`` and ``picture`` draw it on an ``axis``. ``why`` and
  ``blast`` walk the ``lineage`` of events, with ``roots``, ``neighbours``, ``fields`` and ``decisions``.
- Invariants: ``first`` watches one (``invariants``, ``named_invariants``, ``watching``, ``predicates``).
- The replay check: ``replay_check`` takes ``commits`` one by one; ``commands`` and ``effect_commands`` say which
  command each was, and a ``retrial`` gives it to the code of today, ``on_paper``, over the ``streams`` before it.
- What-if: ``what_if`` plays each run's ``course`` by the ``script`` of what the world did, on ``paper``, for a policy
  of ``policy_file``; ``bounds`` tell what nobody knows, and a ``counterfactual`` is the answer.
"""
