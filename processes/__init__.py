"""What acts: use cases, sweep, leases and workers over the rules and the views.

A use case is a function that makes a command; the command is given a transaction (``domain.ports``), and may run more
than once. ``services`` is what all of them share.

- Executors: ``intake`` (runs are submitted), ``leases`` (claimed by a ``claimant``, kept, given back), ``reports``
  (attempts end); ``handout`` is what they are handed.
- Effects: ``wanted`` (checked), ``effects`` (intents and outcomes), ``outbox`` (sent once, as ``steps`` of a thread or
  of asyncio), ``reconciliation`` (found out), ``admitted`` (what an attempt was let send), ``compensations`` and the
  ``compensator``.
- Operators: ``operations``, ``notes``, ``resume_plan`` (by ``rehearsal`` of the commands themselves).
- Dead letters: ``letters`` open and resolve with the report that causes it; the ``sweep`` brings them back.
- Time: the ``ticker`` runs ``timers``, ``leases`` and the ``sweep``; ``host`` tells which processes are gone.
- Logs: ``decision_lines`` says what was decided, in a line each, to whoever reads the log of the process.
- Limits: ``capacity`` says what they let start, and who waits for it.
- The worker: ``worker`` makes ``turns``, one commit each, over what is ``held``; ``places`` says how many attempts it
  may start, ``slots`` run them, ``told`` reads what ``handlers`` say, ``given`` checks what a host gives. A ``crew``
  of workers serves several logs in a ``shared_room``. ``command_handler`` runs ``commands``, each under a
  ``supervisor``, and keeps some of the ``output``.
"""
