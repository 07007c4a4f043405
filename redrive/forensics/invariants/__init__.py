"""Invariants: what must hold at every position, and where it first did not.

- ``invariant`` is one, in SQL; ``named`` are those that come with redrive. ``first`` looks for violations, and says
  which way of looking suits which invariant.
- The ways: ``watching`` asks about rows that change, or asks the whole query again; ``totals`` keeps what
  ``aggregates`` finds in a condition over counts and sums; ``predicates`` calls a function.
- ``touching`` says which events can change what is watched: no other is folded.
"""
