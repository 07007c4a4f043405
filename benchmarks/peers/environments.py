"""One virtual environment per engine, made from its pinned requirements, and kept until these change."""

import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"
FOLDER = Path(__file__).resolve().parents[2] / "build" / "peers"


def interpreter(name: str | None, folder: Path = FOLDER) -> Path:
    """The Python of the environment *name*, made when it is not there or not of these requirements; None: this one."""
    if name is None:
        return Path(sys.executable)
    wanted = f"# Python {sys.version}\n{(REQUIREMENTS / f'{name}.txt').read_text()}"
    place, stamp = folder / name, folder / f"{name}.made"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"making the environment of {name} in {place}", file=sys.stderr, flush=True)
        venv.create(place, clear=True, with_pip=True)
        install = ["-m", "pip", "install", "--quiet", "--no-input", "-r", str(REQUIREMENTS / f"{name}.txt")]
        subprocess.run([place / "bin" / "python", *install], check=True)
        stamp.write_text(wanted)
    return place / "bin" / "python"
