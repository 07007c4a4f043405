"""What an engine can tell of the past: nothing here writes to the log."""


class ForensicEngine:
    """The forensic queries of an engine: about the whole log, for whoever may read all of it."""
