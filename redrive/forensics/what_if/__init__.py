"""What-if: history decided again under another policy, on paper, with bounds for what nobody knows.

- Asked: by ``what_if``. A ``policy_file`` says what would have been another policy, ``extent`` how far it reaches.
- One pass over the log: an ``inquiry`` leaves alone what the policy cannot change (``touched``, ``certain``), and gives
  flows with other policies (``otherwise``) to the runs that it can. Where many differ, they are shared out among
  processes (``shares``, ``share_process``), which tell each other their ``findings``.
- One run: ``parting`` finds where it goes another way. ``run_record`` is what the log holds of it, its ``script`` what
  the world did; a ``course`` is played by the ordinary commands on ``paper``, in the order of what ``starts`` next
  (``readiness`` tells what may), with ``effects_again``, and ``fates`` for attempts that never were.
- All its courses: ``bounds``, or ``widest`` when they are too many to play.
- Answered: a ``report``, of numbers and of load over time; ``load_plot`` draws it. The ``counterfactual`` answer has
  views besides, folded from a ``counterfactual_log``.
"""
