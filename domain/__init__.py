"""Pure rules: values, events, states and the decisions between them. No clock, dice, I/O.

An aggregate is a folder: its events, its state with what they change in it, and the rules that decide.

- ``run``: one execution of a flow; ``dead_letter``: work that failed for good; ``effect``: an action on the outside
  world; ``compensation``: what makes good for one. ``aggregates`` has them side by side.
- What they are made of: ``event`` (recorded facts, and how states evolve by them), ``records`` (events of what is no
  aggregate), ``payloads`` (which of their fields are hidden by encryption), ``identity`` (tenants and ids), ``flow``,
  ``stateful_wait`` (its approvals and timed waits), ``failure`` and ``classifier`` (which kind it was), ``resource``.
- Policies: ``retry_policy`` for attempts, ``redrive_policy`` for dead letters, ``limits``; as a ``document``, and
  ``retry_documents`` of other systems. ``spread`` and ``sharding`` say who is served when and where.
- The boundary: ``values`` checks what comes from outside, ``redaction`` what goes into the log, ``errors`` is
  everything that is raised, ``ports`` what use cases need from a ledger.
"""
