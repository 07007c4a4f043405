"""The command line, installed as ``redrive``.

A command, or a noun with its commands, has a file of that name, which begins with what is typed. They share:

- One command: ``root`` finds it, ``options`` and ``words`` are its parameters, ``json_input`` and ``ids`` their values,
  ``context`` its session, ``past`` its ``--at``, ``failures`` its end.
- What is printed: ``output`` for people, pipes and programs, by ``tables``, ``times``, ``counted``; all ``pages`` of
  what was asked; ``progress`` of a run; ``reporting`` around what reports say of the log.
- One thing in full: ``show_run``, ``show_letter``, ``show_effect``. Its events: ``events``, in words by ``saying`` and
  ``effect_words``; ``effect_tables``.
- Dead letters: ``letter_filters`` say which, ``dispositions`` what is decided, ``decide`` carries it out,
  ``group_ways`` offers ways on for many.
- What to type next: ``next_steps``, as ``typed`` writes it.
"""


def main() -> None:
    """Run the command that ``sys.argv`` names, and exit with its code."""
    import os
    import sys

    for name in ("stdout", "stderr"):  # closed by the caller: what is said goes nowhere
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    try:
        from redrive.cli.root import cli
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)

    cli(prog_name="redrive")


__all__ = ["main"]
