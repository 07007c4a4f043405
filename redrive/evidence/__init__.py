"""Evidence: what the log says cannot be changed unnoticed.

- The tree: a leaf for each event (``leaves``), the tree over them (``merkle``), beside the rows in the ``log_store``
  (``sqlite_store`` or ``postgres_store``); what it holds are the values of ``store``.
- Sealing: ``sealing`` hashes what is new and signs a checkpoint (``notes``, with the key of ``keys``); the ``sealer``
  does it in the background. ``custody`` is all that one engine has of it.
- Outside: ``anchors`` tell a checkpoint to others (``pins``, ``witnesses``, ``timestamps``).
- Verifying: ``verification`` asks for the ``scan`` (with ``columns``, ``clocks``, ``sqlite_faults``), for what is
  ``outside``, and for what is ``rebuilt``; a ``policy`` says what is trusted (``trust``), a ``report`` what was found.
  The scan reads ``stretches``; of a large log, a second process goes ``ahead`` and tells what is sound at a ``glance``.
- Handing over: ``bundle``; ``verify`` is the one file with which others verify one, and imports nothing of redrive.

``files`` are those that must be whole after a power cut.
"""
