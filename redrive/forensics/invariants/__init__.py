"""Invariants: what must hold at every position, and where it first did not."""
