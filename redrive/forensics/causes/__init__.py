"""Causes: why something is as it is, and what followed from an event."""
