"""The command line, installed as ``redrive``."""


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
