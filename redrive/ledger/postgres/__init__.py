"""A log in a PostgreSQL database: ``redrive[postgres]``.

- The log: a ``recorder`` appends by the statements of ``appending``, under the short lock that gives positions, and
  learns by ``hearing`` what others appended; the ``gathering`` agenda is written with them; the ``line`` keeps
  claims apart; ``readers`` only read.
- To the server and back: an ``address`` and ``connecting``; a ``connection`` that is used like SQLite's, several
  statements in one ``pipeline``, ``values`` in binary, ``errors`` as sentences; the ``bell`` wakes other processes.
- The database: its ``schema``, ``grants`` for roles, ``names`` of what belongs to a log, and the ``store`` as who looks
  after it sees it.
"""
