"""The command line, installed as ``redrive``."""


def main() -> None:
    """Run the command that ``sys.argv`` names, and exit with its code."""
    from redrive.cli.root import cli

    cli(prog_name="redrive")


__all__ = ["main"]
