"""The append-only log, in a SQLite file or on a PostgreSQL server: mapper, agenda, states, committer, two recorders.

A command goes through ``ledger`` (what use cases and queries see) to the ``committer``, which decides under the write
lock (``alone``), or ``ahead`` of it where others may write meanwhile. It waits as a ``pending`` one for its
``group_commit``, ``admission`` lets its tenant write here, and its ``transaction`` reads (``finding``, ``reading``,
``agenda_reading``), notes what it appends (``appending``), and is flushed. It rests on:

- the log: ``mapper`` makes rows of events, a ``recorder`` (``concurrent``: with others who write) inserts them;
  ``encrypting`` is what it asks of whoever encrypts. ``database`` is what both stores have in common, ``schema`` the
  tables in SQLite, ``storage_errors`` what a database says, ``urls`` where it lies, ``state_folder`` where files lie
  that cannot be beside it. ``sqlite`` and ``postgres`` hold what each needs beside. ``application`` and ``persistence``
  are how the eventsourcing library is given all of it.
- ``states`` in memory, the ``flows`` that runs refer to, and what this process has ``at_hand`` of what is due.
- the agenda: ``agenda`` is the table of what is due, ``agenda_rows`` what a state has there, ``agenda_log`` what the
  log says must stand there.
- limits: ``limit_book`` says which are in force, ``capacity`` is the tables of what is in use, ``capacity_rows`` what
  a state has there, ``capacity_log`` and ``buckets`` what the log says; ``tally`` is what one transaction sees of it,
  ``expected`` who is looked for, ``next_work`` when looking is worth while, ``limit_status`` what operators are shown,
  ``past_capacity`` what was in use in the past.

For who only reads: ``readable`` (the whole log, or a prefix of it), ``moments`` and ``mentions`` (places in it), and
``tenants_in``; ``subscribers`` are told what is committed. For who looks after databases: ``stores`` and ``copying``.
``starting`` waits for a server, ``seams`` is where the simulator of faults puts them in.
"""
