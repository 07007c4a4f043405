"""Evidence bundles: part of a log with what proves it, in one file that is verified and opened elsewhere.

- The form: an ``archive`` of members, its ``contents``, ``entries`` for events, their ``proofs``, and the ``wording``
  of the page that goes with it.
- Made: ``selection`` says which events, ``export`` writes them, ``handing`` does all around it.
- Received: ``reading`` checks what it shows by itself, ``checking`` against what is trusted, and ``opened`` makes a log
  of it, to be asked as any other.
"""
