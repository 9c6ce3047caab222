"""Peers are installed into environments of their own, so that they neither see nor change ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BUILD = Path(__file__).resolve().parent.parent / "build" / "peers"


def environment(*requirements: str) -> Path:
    """Return the `bin` folder of an environment that holds `requirements`; it is made once."""
    home = BUILD / "-".join(requirement.partition("=")[0] for requirement in requirements)
    done = home / ".installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(home / "bin" / "pip"), "install", "--quiet", *requirements], check=True)
        done.touch()
    return home / "bin"
