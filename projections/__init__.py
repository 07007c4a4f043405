"""Views: the log folded into disposable SQLite databases.

- A ``view`` catches up with the log; ``view_file`` is where it lies, ``view_state`` what it says about itself, ``wal``
  how its database is opened by many.
- The ``fold`` makes rows of events, a ``batch`` at a time, in ``tables``: ``queues`` (runs, and what they wait for),
  ``dead_letters``, ``effects``, ``compensations``, ``approvals``, ``counts``, and ``lifecycle`` (the texts that are
  searched). It knows flows by their ``graphs``.
- ``queries`` ask, with ``queue_queries`` and ``effect_queries``; ``filters`` say of what, ``paging`` how much at a
  time, ``models`` what the answer is.
- ``logs`` is how all of redrive writes log lines.
"""
