"""The fault simulator: one seed decides who acts next, what the time is, and what fails.

Everything runs in one thread on one log, in a file or on a server: several engines stand for several processes, and
the connections that they open ask the simulator before and after every statement. Not to be mixed up with
``redrive.simulation``, whose simulated *tasks* stand in for the work of a flow: here the work is a pretext, and the
faults are the point.

- ``simulator`` plays one history in a ``world``; ``settling`` ends it, the ``oracles`` judge it, ``summary`` counts.
- Who acts: each ``process`` is ``working`` or ``operating``, on runs of the ``flows``; the ``service`` is the outside.
- What fails: ``kinds`` names the faults; ``disturbing`` are those of processes and clocks, the ``injector`` has the
  others strike at the ``seam``: a ``connection`` to a file, whose ``disk`` loses power, or to a ``server``, in a
  ``schema`` of its own.
- ``acknowledged`` remembers what callers were promised.
"""
