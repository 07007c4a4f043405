"""Causes: why something is as it is, and what followed from an event.

- Backward: ``why`` follows one of the ``fields`` to the event that changed it, its ``decisions``, and its ``roots``.
- Forward: ``blast``.
- Both rest on ``lineage``, the links between the events of one correlation, and on their ``neighbours`` in others.
"""
