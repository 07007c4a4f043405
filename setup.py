"""Refuse to build from a clone whose rooms are not there; everything else is in pyproject.toml.

``redrive/domain`` and its two neighbours are symbolic links. A clone made without them (git on Windows, an
archive tool that drops links) would build a wheel without any rule in it, and nothing would say so.
"""

from pathlib import Path

from setuptools import setup

PACKAGE = Path(__file__).resolve().parent / "redrive"

for room in ("domain", "projections", "processes"):
    if not (PACKAGE / room).is_dir():
        raise SystemExit(
            f"redrive cannot be built here: redrive/{room} is not a directory. It is a symbolic link to ../{room}; "
            "clone again with links enabled (git clone -c core.symlinks=true) on Linux or macOS."
        )

setup()
